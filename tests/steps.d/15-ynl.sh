# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The netlink specification: valid, the same as the headers, and what the family really does.

step_tap ynl-check scripts/ynl-check
for kernel in 6.1 6.12 uml; do
	step_tap "nl-conformance-$kernel" scripts/vm --kernel "$kernel" --strict --timeout 300 -- \
		tests/vm/nl-conformance.py
done
