# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The modules build for every kernel, and do so from nothing, with all warnings (W=1) and sparse
# (C=2), without a word.

build_warns() {
	local kernel=$1 out=build/lint/$1 log=build/check/lint-$1.txt status=0
	rm -rf "$out"
	mkdir -p build/check
	scripts/build-modules --out "$out" "$kernel" W=1 C=2 > "$log" 2>&1 || status=$?
	cat "$log"
	[[ $status == 0 ]] || return "$status"
	# Sparse and gcc complain about some of the kernel's own headers: those are not ours to mend.
	if grep -iE 'warning|error' "$log" | grep -vE '^(/usr/src/linux-|/var/cache/[^ :]*/src-6|\./|\.\./|(arch|include)/)'; then
		echo "build: the lines above are warnings"
		return 1
	fi
}

for kernel in 6.1 6.12 uml; do
	step_cmd "warnings-$kernel" build_warns "$kernel"
	step_cmd "modules-$kernel" scripts/build-modules "$kernel"
done
