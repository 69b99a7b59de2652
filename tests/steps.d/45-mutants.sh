# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The same test with one check of the driver taken out must fail; every check, one at a time.

STEP_SHARED=1
step_tap mutants-1 tests/mutants/run --part 0/2
step_tap mutants-2 tests/mutants/run --part 1/2
