# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The adversary on the debug kernel: KASAN, lockdep and the rest look on.

step_tap adversary-uml-debug scripts/vm --kernel uml-debug --strict --timeout 1000 -- \
	build/tests/vm/adversary --frames 40000
