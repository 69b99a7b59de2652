# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Every way in which a machine stops, or starves its supervision, while an array emits.

for kernel in uml 6.12 6.1; do
	step_tap "exits-$kernel" tests/vm/exits.sh "$kernel"
done
step_tap starve-6.12 scripts/vm --kernel 6.12 --strict --timeout 300 -- build/tests/vm/starve
