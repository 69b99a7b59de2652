# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Every fuzz target over its seeds and a fixed set of mutations of them.

STEP_SHARED=1
for source in tests/fuzz/fuzz_*.c; do
	name=${source#tests/fuzz/fuzz_}
	name=${name%.c}
	step_tap "fuzz-$name" "build/tests/fuzz/$name" "tests/fuzz/seeds/$name"
done

step_tap nl-fuzz-uml scripts/vm --kernel uml --strict --timeout 100 -- tests/vm/nl-fuzz.py --seconds 20
