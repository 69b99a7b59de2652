# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The modules build for every kernel, and do so from nothing, with all warnings (W=1) and sparse
# (C=2), without a word.

build_warns() {
	local kernel=$1 out=build/lint/$1 log=build/check/lint-$1.txt
	local cache=${HOLDFAST_CACHE:-/var/cache/holdfast}
	local checks=(W=1 C=2)
	[[ $kernel != mainline ]] || checks=(W=1) # its headers are too new for Debian 12's sparse
	rm -rf "$out"
	mkdir -p build/check
	scripts/build-modules --out "$out" "$kernel" "${checks[@]}" > "$log" 2>&1 ||
		{ cat "$log"; return 1; }
	# Sparse and gcc complain about some of the kernel's own headers: those are not ours to mend.
	# Without SMP (UML) the kernel's raw_spin_trylock() counts its lock twice for sparse; the SMP
	# kernels check the same code.
	awk -v cache="$cache/" -v kernel="$kernel" '
		index($0, cache) == 1 || /^(\/usr\/src\/linux-|\.\.?\/|(arch|include)\/)/ { next }
		kernel == "uml" && /context imbalance/ { next }
		tolower($0) ~ /warning|error/ { print; bad = 1 }
		END { exit bad }' "$log"
}

for kernel in 6.1 6.12 uml; do
	step_cmd "warnings-$kernel" build_warns "$kernel"
	step_cmd "modules-$kernel" scripts/build-modules "$kernel"
done

# gcc's warnings with the newest kernel that Debian has: another suite, which a mirror need not have.
build_mainline() {
	local status=0
	scripts/kernels mainline || status=$?
	echo 1..1
	case $status in
	0) build_warns mainline && echo "ok 1 - $(scripts/kernels --release mainline)" ;;
	69) echo "ok 1 # SKIP Debian sid cannot be fetched" ;;
	*) return 1 ;;
	esac
}

step_tap warnings-mainline build_mainline
