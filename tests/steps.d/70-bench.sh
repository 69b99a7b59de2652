# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Do the benchmarks that need no other program still run (those of the driver in User-mode Linux), and
# does docs/performance.md know their figures? How fast anything is, is not asked.

bench_quick() {
	local names=(rules driver audit auth)
	# nothing is durable in memory: the benchmark of the log refuses to run there
	[[ $(stat -f -c %T build) != @(tmpfs|ramfs) ]] || names=(rules driver auth)
	scripts/bench --quick "${names[@]}" &&
		scripts/gen-performance-docs --check build/bench/some.json
}

step_cmd bench-quick bench_quick
