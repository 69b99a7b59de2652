# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The scenarios of 30-vm.sh with KASAN, lockdep and the other checkers.

step_cmd modules-uml-debug scripts/build-modules uml-debug
for scenario in abi trips datapath 'surface calls' 'lifetimes 200' 'subscribers 2100'; do
	# shellcheck disable=SC2086  # a program and its argument
	step_tap "${scenario%% *}-uml-debug" scripts/vm --kernel uml-debug --strict --timeout 900 -- \
		build/tests/vm/$scenario
done
