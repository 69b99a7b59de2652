#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# exits.sh KERNEL...: every way in which a machine stops while an array emits.  Boots a guest for each,
# which takes that way (exit_scene.c), and judges from outside by the ledger's lines on the console:
# outputs were on, the last thing they did was to go off, after the trigger and within the bound.
# Prints TAP.  The bound is in ms, for emulated machines: the hook's own place in the path (a panic
# first prints its registers to a slow serial line and stops the other CPUs) and the machine's noise.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

# kernel kind path status bound_ms what-the-console-must-say
paths() {
	cat <<-'END'
	uml   atomic  reboot      200  100  Restarting system
	uml   atomic  poweroff    200  100  Power down
	uml   bus     reboot      200  200  Restarting system
	uml   atomic  sysrq-c     200  100  panic.*sysrq triggered crash
	uml   bus     sysrq-c     200  200  panic.*sysrq triggered crash
	uml   atomic  sysrq-b     200  100  Resetting
	uml   atomic  suspend       0  100  Freezing user space processes
	uml   bus     suspend       0  200  Freezing user space processes
	uml   atomic  rmmod-f       0  100  exit_scene: trigger
	uml   bus     rmmod-f       0  200  exit_scene: trigger
	6.12  atomic  reboot      200  200  Restarting system
	6.12  atomic  poweroff    200  200  Power down
	6.12  atomic  sysrq-c     200 1500  panic.*sysrq triggered crash
	6.12  bus     sysrq-c     200 1500  panic.*sysrq triggered crash
	6.12  atomic  sysrq-b     200  200  Resetting
	6.12  bus     sysrq-b     200  300  Resetting
	6.12  atomic  oops-panic  200 1500  panic.*Fatal exception
	6.12  atomic  oops          0 1500  Oops:
	6.12  atomic  suspend       0  200  Freezing user space processes
	6.12  atomic  rmmod-f       0  500  exit_scene: trigger
	6.1   atomic  reboot      200  200  Restarting system
	6.1   atomic  sysrq-c     200 1500  panic.*sysrq triggered crash
	6.1   bus     sysrq-c     200 1500  panic.*sysrq triggered crash
	6.1   atomic  sysrq-b     200  200  Resetting
	END
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# What the console says: "on" and "off" in their order with ms since the trigger, and how it ends.
# Fields: outputs were on before the trigger | last change | ms from the trigger to it | was the
# hardware driver's own shutdown called before that (which would hide a governor that does nothing)
judge() {
	tr -d '\r' < "$log" | awk '
		/exit_scene: trigger t=/ { sub(/.*t=/, ""); trigger = $1; next }
		/holdfast_sim: exit: ledger (ON|OFF) t=/ {
			last = / ON / ? "ON" : "OFF"
			t = $0; sub(/.*t=/, "", t); sub(/ .*/, "", t)
			if (!trigger) before = last
			late = shut
		}
		/holdfast_sim.*: shutdown$/ { shut = 1 }
		END { printf "%s %s %.1f %s\n", before ? before : "never", last ? last : "never",
			trigger ? (t - trigger) / 1e6 : -1, late ? "late" : "first" }'
}

count=0 failures=0
result() { # ok? text
	count=$((count + 1))
	[[ $1 == ok ]] || failures=$((failures + 1))
	echo "$1 $count - $2"
}

try() { # kernel kind path status bound sign
	local kernel=$1 kind=$2 path=$3 want=$4 bound=$5 sign=$6 status out before last ms order why=''
	: > "$log"
	out=$(scripts/vm --kernel "$kernel" --timeout 120 --append "loglevel=7 suspend.pm_test_delay=1" --serial-log "$log" -- \
		build/tests/vm/exit_scene "$kind" "$path" 2>&1)
	status=$?
	read -r before last ms order < <(judge)
	[[ $status == "$want" ]] || why+=" status $status, not $want;"
	grep -q "$sign" "$log" || why+=" the console does not say '$sign';"
	[[ $before == ON ]] || why+=" outputs before the trigger: $before;"
	[[ $last == OFF ]] || why+=" outputs at the end: $last;"
	[[ $order == first ]] || why+=" only by the driver's shutdown;"
	awk -v ms="$ms" -v bound="$bound" 'BEGIN { exit !(ms >= 0 && ms <= bound) }' ||
		why+=" not silent within the bound;"
	result "$([[ $why ]] && echo 'not ok' || echo ok)" \
		"$kernel, $kind, $path: silent $ms ms after the trigger (bound $bound ms)${why:+:$why}"
	if [[ $why ]]; then
		sed 's/^/# /' <<< "$out"
		grep -E 'ledger|trigger|panic|Oops' "$log" | tail -n 8 | sed 's/^/# /'
	fi
}

[[ $# -gt 0 ]] || { echo "Usage: exits.sh [-k PATH] KERNEL..." >&2; exit 2; }
only=
if [[ $1 == -k ]]; then only=$2; shift 2; fi
while read -r kernel kind path status bound sign; do
	[[ " $* " == *" $kernel "* ]] || continue
	[[ -z $only || $path == "$only" ]] || continue
	try "$kernel" "$kind" "$path" "$status" "$bound" "$sign" < /dev/null
done < <(paths)
echo "1..$count"
[[ $failures == 0 && $count -gt 0 ]]
