#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Is every structure and enum of the UAPI laid out the same for a 32-bit and a 64-bit program?
# Asks the compiler, by its debug information, so that none is forgotten. Prints TAP.
set -euo pipefail

uapi=${1:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/uapi}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

layout() { # bits
	printf '#include "%s"\n' holdfast.h holdfast_sim.h > "$dir/uapi.c"
	gcc -std=gnu11 -m"$1" -g -c -fno-eliminate-unused-debug-types -I"$uapi" \
		-o "$dir/$1.o" "$dir/uapi.c"
	pahole -I "$dir/$1.o" 2> /dev/null |
		awk '/^(struct|union|enum) holdfast/ { on = 1 } on { print } /^}/ { on = 0 }' > "$dir/$1"
	count=$(grep -c '^struct' "$dir/$1" || true)
}

ok() { # name command...
	local name=$1 status='ok'
	shift
	"$@" > "$dir/why" 2>&1 || status='not ok'
	echo "$status $((++tests)) - $name"
	[[ $status == ok ]] || sed 's/^/# /' "$dir/why"
}
tests=0

layout 32
layout 64
declared=$(cat "$uapi"/holdfast.h "$uapi"/holdfast_sim.h | grep -cE '^struct holdfast_[a-z_]+ \{')
ok "all $declared structures are looked at" test "$count" = "$declared"
ok 'sizes and offsets are the same for 32 and 64 bits' diff "$dir/32" "$dir/64"
ok 'no holes and no padding' sh -c "! grep -E 'XXX|hole|padding' '$dir/64'"
echo "1..$tests"
