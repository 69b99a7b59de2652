#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The real holdfast-audit-verify, and a second judge written from the format's description alone, on
# a sample log that is cut and changed at places spread over all of it. Prints TAP.
set -u -o pipefail
. tests/lib/tap.sh

verify=build/agent/holdfast-audit-verify
judge=tests/agent/audit_judge.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/log"
HOLDFAST_AUDIT_SAMPLE=$work/log build/agent/tests/test_audit_verify --filter audit_verify/sample \
	> "$work/out" 2>&1 || { cat "$work/out"; echo "Bail out! no sample"; exit 1; }

expect 0 'the sample is as it was written' 'as written' "$verify" "$work/log"
expect 0 'the second judge agrees' 'as written' "$judge" "$work/log"
expect 64 'no folder: usage' 'Usage' "$verify"
expect 74 'a folder that is not there' 'No such file' "$verify" "$work/none"
expect 0 'JSON' '"code":0,"records":7[0-9]*' "$verify" --json "$work/log"

# change FILE OFFSET XOR: one byte
change() {
	python3 - "$@" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as f:
		    f.seek(int(sys.argv[2])); b = f.read(1)[0]
		    f.seek(int(sys.argv[2])); f.write(bytes([b ^ int(sys.argv[3])]))
	END
}

# Flips and cuts spread over all files: 500 and more runs of the program, each file put back after.
python3 - "$verify" "$work/log" > "$work/spread" 2>&1 <<-'END'
	import glob, os, shutil, subprocess, sys
	verify, folder = sys.argv[1:]
	runs = wrong = 0
	logs = sorted(glob.glob(folder + "/*.log"))
	def code():
	    return subprocess.run([verify, folder], stdout=subprocess.DEVNULL).returncode
	for path in sorted(glob.glob(folder + "/audit-*")):
	    whole = open(path, "rb").read()
	    step = max(1, len(whole) // 28)
	    for at in range(0, len(whole), step):
	        for how in (1, 255, "cut"):
	            if how == "cut" and path.endswith(".cp"):
	                continue            # a cut between two notes loses evidence, not records
	            bad = whole[:at] if how == "cut" else whole[:at] + bytes([whole[at] ^ how]) + whole[at + 1:]
	            open(path, "wb").write(bad)
	            got = code(); runs += 1
	            want = {1} if path.endswith(".log") else {5, 2}
	            if how == "cut":
	                want = {1, 3, 4}
	            if got not in want:
	                wrong += 1
	                print(path, at, how, "status", got)
	    open(path, "wb").write(whole)
	print(f"{runs} runs, {wrong} wrong")
	sys.exit(wrong > 0 or runs < 500 or code() != 0)
END
ok $? "$(tail -n 1 "$work/spread")"
grep -v runs "$work/spread" | sed 's/^/# /'

# Both judges on the same changes, one of each kind.
last=$(ls "$work"/log/*.log | tail -n 1)
both() { # STATUS NAME [ANCHOR]
	expect "$1" "$2" '' "$verify" ${3:+--anchor "$3"} "$work/log"
	expect "$1" "$2 (second judge)" '' "$judge" "$work/log" ${3:+"$3"}
}
cp -r "$work/log" "$work/whole"
again() { rm -rf "$work/log"; cp -r "$work/whole" "$work/log"; }
change "$work/log/audit-00000002.log" 5000 1; both 1 'a changed byte'; again
change "$work/log/audit-00000003.log" 60 1; both 1 'a changed header'; again
rm "$work/log/audit-00000002.log"; both 3 'a missing segment'; again
rm "$last"; both 4 'the last segment missing'; again
change "$work/log/audit-00000001.cp" 60 1; both 5 'a changed checkpoint'; again
rm "$work"/log/*.cp; truncate -s -30 "$last"; both 2 'a torn tail'; again
cat "$work"/whole/*.cp | tail -n 6 > "$work/anchor"
both 0 'an anchor that fits' "$work/anchor"
rm "$last" "${last%.log}.cp"; both 4 'rolled back behind an anchor' "$work/anchor"; again
sed 's/^[0-9][0-9]*$/1/' "$work/anchor" > "$work/forged"
expect 5 'a forged anchor' 'no checkpoint signed' "$verify" --anchor "$work/forged" "$work/log"
expect 0 'from a checkpoint' 'as written' "$verify" --from "$work/anchor" "$work/log"
plan
