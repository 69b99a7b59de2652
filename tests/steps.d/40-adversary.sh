# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Attackers, tightening, revoked leases and killed keepers against the judge of the ledger: a
# million frames in User-mode Linux, fewer under emulation.  HOLDFAST_SEED repeats a run as far as
# scheduling allows; the seed of each is printed.

adversary() { # kernel frames seed [option…]
	scripts/vm --kernel "$1" --strict --timeout 1000 -- \
		build/tests/vm/adversary --frames "$2" ${3:+--seed "$3"} "${@:4}"
}

# User-mode Linux has one processor: two guests use two of ours.
adversary_pair() { # frames
	local i out=build/check/adversary guests=() status failed=0
	mkdir -p "$out"
	for i in 1 2; do
		adversary uml $(($1 / 2)) "${HOLDFAST_SEED:+$((HOLDFAST_SEED + i - 1))}" \
			> "$out/$i.tap" 2> "$out/$i.err" &
		guests+=($!)
	done
	echo 1..2
	for i in 1 2; do
		status=0
		wait "${guests[i - 1]}" || status=$?
		sed 's/^/    /' "$out/$i.tap"
		sed 's/^/# /' "$out/$i.err"
		echo "$([[ $status == 0 ]] || echo 'not ')ok $i - guest $i"
		[[ $status == 0 ]] || failed=1
	done
	awk '/# adversary:/ { f += $3; e += $5; o += $8 }
		END { print "# adversary: " f " frames, " e " emissions judged, " o " outside" }' \
		"$out"/[12].tap
	return $failed
}

step_tap adversary-uml adversary_pair 1000000
for kernel in 6.1 6.12; do
	step_tap "adversary-$kernel" adversary "$kernel" 20000 "${HOLDFAST_SEED-}" --noise 50
done
