# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Unit and property tests of the rules (Criterion, ASan and UBSan). Sourced by tests/run. Named
# after the sources, so that a program that was not built is a failure, not a gap.
STEP_SHARED=1
for source in tests/unit/test_*.c; do
	name=${source##*/test_}
	step_criterion "unit-${name%.c}" "build/${source%.c}"
done
