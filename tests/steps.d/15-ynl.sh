# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The netlink specification: valid, the same as the headers, and what the family really does.

step_tap ynl-check scripts/ynl-check
STEP_SHARED=1
for kernel in 6.1 6.12 uml; do
	step_tap "nl-conformance-$kernel" scripts/vm --kernel "$kernel" --strict --timeout 300 -- \
		tests/vm/nl-conformance.py
done
