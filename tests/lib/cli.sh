#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# holdfastctl where there is no array: usage, exit codes, solving, files. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/tap.sh"

export HF=${HF:-build/agent/san/holdfastctl}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

expect 0 "help" 'Usage: holdfastctl' "$HF" --help
expect 2 "no command" 'Usage: holdfastctl' "$HF"
expect 2 "unknown command" 'there is no command "fly"' "$HF" fly
expect 2 "unknown option" 'unrecognized option' "$HF" status --frobnicate
expect 0 "version" '^holdfastctl [0-9]' "$HF" --version
for command in $("$HF" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p'); do
	expect 0 "help of $command" "Usage: holdfastctl $command" "$HF" "$command" --help
done

expect 5 "status without an array" 'no such array' "$HF" -d 99 status
expect 5 "silence without an array" 'no such array' "$HF" -d 99 silence
expect 5 "serial that is nobody's" 'no such array' "$HF" -d nobody status
expect 0 "list without an array, as JSON" '^\[\]$' "$HF" list --json

# --- solve
grid=(--grid 16x16 --pitch-um 10500)
expect 0 "focus" '426[0-9].* Pa predicted' "$HF" solve focus "${grid[@]}" --at 0,0,150 -o "$dir/a.hfs"
expect 0 "a stream file begins with HFS1" '^HFS1$' head -c 4 "$dir/a.hfs"
expect 0 "it has header, frame, focus" '^1136$' stat -c %s "$dir/a.hfs"	# 64 + 32 + 4 * 256 + 16
expect 0 "foci" 'frame 0' "$HF" solve foci "${grid[@]}" --at 20,0,150 --at -20mm,0,0.15m -o "$dir/f.hfs"
for pattern in twin vortex bottle; do
	expect 0 "$pattern" '1 frames of 256' \
		"$HF" solve $pattern "${grid[@]}" --at 0,0,120 -o "$dir/$pattern.hfs"
done
expect 0 "circle" '40 frames of 256 channels, 25 frames/s' \
	"$HF" solve focus "${grid[@]}" --at 0,0,150 --circle 10mm --frames 40 --rate 25 -o "$dir/c.hfs"
expect 0 "path" '100 frames' \
	"$HF" solve focus "${grid[@]}" --at 0,0,150 --at 10,0,150 --at 10,10,150 -o "$dir/p.hfs"
expect 0 "the same again is the same file" '' sh -c "\"\$HF\" solve focus --grid 16x16 --at 0,0,150 \
	-o '$dir/b.hfs' 2>/dev/null && cmp '$dir/a.hfs' '$dir/b.hfs'"
expect 2 "no position" 'at X,Y,Z is missing' "$HF" solve focus "${grid[@]}" -o "$dir/x"
expect 2 "no file" 'output FILE is missing' "$HF" solve focus "${grid[@]}" --at 0,0,1
expect 2 "no such pattern" '"cube" is not a pattern' "$HF" solve cube "${grid[@]}" --at 0,0,1 -o "$dir/x"
expect 2 "position of two numbers" 'X,Y,Z in mm' "$HF" solve focus "${grid[@]}" --at 0,0 -o "$dir/x"
expect 2 "position that is no number" 'X,Y,Z in mm' "$HF" solve focus "${grid[@]}" --at 0,nan,1 -o "$dir/x"
expect 2 "too large a grid" 'where a whole number from 1 to 32' "$HF" solve focus --grid 32x33 --at 0,0,1 -o "$dir/x"
expect 2 "nine foci" '9 foci where 8' "$HF" solve foci "${grid[@]}" \
	--at 1,0,99 --at 2,0,99 --at 3,0,99 --at 4,0,99 --at 5,0,99 --at 6,0,99 --at 7,0,99 \
	--at 8,0,99 --at 9,0,99 -o "$dir/x"
expect 1 "a folder that is not there" 'No such file' "$HF" solve focus "${grid[@]}" --at 0,0,1 -o /nowhere/x
expect 1 "nothing is left of a failed one" '' test -e "$dir/x"

# --- files are judged before any array is asked for
expect 1 "play nothing" 'No such file' "$HF" play "$dir/nothing"
head -c 1000 "$dir/a.hfs" > "$dir/short.hfs"
expect 1 "play half a file" '936 bytes of frames where the header states 1072' "$HF" play "$dir/short.hfs"
printf '1,2\n0.5,nan\n' > "$dir/nan.csv"
expect 1 "play NaN" 'nan.csv: line 2, column 5: a decimal number' "$HF" play "$dir/nan.csv"
printf '1,2\n0.5,1\n' > "$dir/good.csv"
expect 2 "CSV has no rate" 'give --rate' "$HF" play "$dir/good.csv"
expect 2 "focus nowhere" 'at X,Y,Z is missing' "$HF" focus --amp 10%
expect 2 "focus at nine places" 'more than 8 foci' "$HF" focus \
	--at 0,0,1 --at 0,0,2 --at 0,0,3 --at 0,0,4 --at 0,0,5 --at 0,0,6 --at 0,0,7 --at 0,0,8 --at 0,0,9
expect 2 "focus for no time" 'for' "$HF" focus --at 0,0,150 --for 0ms
expect 5 "focus without an array" 'no such array' "$HF" -d 99 focus --at 0,0,150
expect 5 "play without an array" 'no such array' "$HF" -d 99 play "$dir/a.hfs"
expect 2 "rate that is none" '0.1 to 1000000' "$HF" play --rate x "$dir/a.hfs"

# --- reading limits
expect 2 "fence without pressure" 'X,Y,Z=PRESSURE' "$HF" fence add 1,2,3
expect 2 "fence pressure with a wrong unit" 'is not one of Pa, kPa, mPa' "$HF" fence add 1,2,3=5W
printf '# x,y,z\n0,0,500\n\n1,2\n' > "$dir/bad.csv"
expect 2 "surface set nothing" 'a file is missing' "$HF" surface set
expect 2 "surface of another word" '"put" is not known' "$HF" surface put x
expect 1 "surface of a bad file" 'bad.csv: line 4' "$HF" surface set "$dir/bad.csv"
seq -f '0,0,%g' 4097 > "$dir/many.csv"
expect 1 "surface of too many points" 'many.csv: line 4097: more than 4096 points' "$HF" surface add "$dir/many.csv"
expect 2 "forbid nonsense" 'channels 0 to 1023' "$HF" envelope set --forbid 5-3
expect 2 "envelope set nothing" 'NAME=VALUE is missing' "$HF" envelope set
plan
