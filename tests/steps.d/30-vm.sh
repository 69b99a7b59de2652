# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Scenarios in booted kernels: every cause of a trip, everybody who can go away, quotas and
# isolation of tenants, the data path, frames of foci, a hundred subscribers, the ABI. The stock kernels run under emulation and get the smaller numbers.

step_tap abi-layout tests/vm/abi-layout.sh

scenario() { # name kernel argument...
	local name=$1 kernel=$2
	shift 2
	step_tap "$name-$kernel" scripts/vm --kernel "$kernel" --strict --timeout 400 -- \
		"build/tests/vm/$name" "$@"
}

for kernel in uml 6.12 6.1; do
	scenario abi "$kernel"
	scenario trips "$kernel"
	scenario quotas "$kernel"
	scenario tenants "$kernel"
	scenario datapath "$kernel"
done
scenario abi32 6.12
scenario abi32 6.1

step_tap pause-6.12 tests/vm/pause.sh 6.12

scenario lifetimes uml 200
scenario lifetimes 6.12 60
scenario lifetimes 6.1 60

scenario focus uml
scenario focus 6.1

scenario subscribers uml 5200
scenario subscribers 6.12 2100
scenario subscribers 6.1 2100
