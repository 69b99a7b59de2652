#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: all processes of holdfastd on a simulated array; programs of other uids
# play through leases. Judged by what the simulated output stage says of itself. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"

HF=${HF:-build/agent/holdfastctl}
BIN=${BIN:-build/agent/holdfastd}
dir=$(mktemp -d)
chmod 755 "$dir"
log=$dir/log
sim=/sys/kernel/config/holdfast_sim/lab
bail() { echo "Bail out! $*"; sed 's/^/# /' "$log"; exit 1; }

until_true() { # seconds command...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}
said() { grep -qE "$1" "$log"; }
pid_of() { pgrep -P "$parent" -f -- "-x $1" | head -1; }
other_pid() { local now; now=$(pid_of "$1") && [[ $now && $now != "$2" ]]; }
emitting() { [[ $(cat "$sim/emitting") == "$1" ]]; }
state_is() { "$HF" status --json | grep -q "\"state\": \"$1\""; }
as() { # uid command...
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --groups holdfast "$@"
}
ms_until_dark() { # milliseconds at most
	local begin=${EPOCHREALTIME/./} now
	until emitting 0; do
		now=${EPOCHREALTIME/./}
		((now - begin < $1 * 1000)) || return 1
	done
	now=${EPOCHREALTIME/./}
	echo "# dark after $(((now - begin) / 1000)) ms"
}
play() { # uid
	as "$1" "$HF" play --loop forever "$dir/one.hfs" > "$dir/play.log" 2>&1 &
	player=$!
	until_true 5 emitting 1 || { sed 's/^/# /' "$dir/play.log"; return 1; }
}
over() { kill -KILL "$player" 2> /dev/null; wait "$player" 2> /dev/null; }
armed() { "$HF" arm > "$dir/arm.log" 2>&1; }
arm_again() { until_true 10 armed; }

: > "$log"
systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf" 2> "$log" || bail "no users"
insmod "$HOLDFAST_MODDIR/holdfast.ko" || bail holdfast.ko
insmod "$HOLDFAST_MODDIR/holdfast_sim.ko" || bail holdfast_sim.ko
mkdir "$sim" && echo 1 > "$sim/live" || bail "no array"
until_true 5 test -e /dev/holdfast0 || bail "no device"
chgrp holdfast /dev/holdfast0 && chmod 660 /dev/holdfast0
mkdir -p /etc/holdfast
cat > /etc/holdfast/holdfast.yaml <<-'END'
	environment: test
	arrays:
	  - match: lab
	    limits: {power_avg: 25000000}
	keeper: {audit_grace_ms: 1000}
	audit: {warn_free_bytes: 1048578, refuse_free_bytes: 1048577, reserve_bytes: 1048576, segment_bytes: 1048576}
	api: {network_enabled: false}
	tenants:
	  - {name: lab, id: 7, arrays: [lab], rights: [frames, raw]}
	  - {name: other, id: 8, arrays: [elsewhere], rights: [frames]}
	peers:
	  - {uid: 0, role: admin, name: root}
	  - {uid: 1001, role: user, tenant: lab, name: anna}
	  - {uid: 1002, role: user, tenant: other, name: ben}
END
"$BIN" --check > "$log" 2>&1 || bail "configuration"
env -i "$BIN" > "$log" 2>&1 &
parent=$!
trap 'kill -KILL "$parent" 2> /dev/null' EXIT
until_true 20 said 'array.kept' || bail "no keeper"
until_true 10 test -S /run/holdfast/keeper.sock || bail "no socket"
"$HF" solve focus --at -40,0,150 --amp 5% -o "$dir/one.hfs" 2> /dev/null || bail "no frame"

expect 0 "sealed, with the site's limit" 'power_avg .* 25.000 W +25.000 W' "$HF" envelope show
check "root arms" arm_again
check "a program of another uid plays" play 1001
expect 7 "nobody gets no lease" 'uid:1003: a user without a tenant' as 1003 "$HF" play "$dir/one.hfs"
expect 5 "another tenant sees no array" 'there is no array 0' as 1002 "$HF" play "$dir/one.hfs"
expect 7 "a user may not arm" 'this role may not|rights arm where' as 1001 "$HF" arm

# --- the keeper dies
keeper=$(pid_of keeper)
kill -KILL "$keeper"
check "kill -9 of the keeper: dark within its deadline" ms_until_dark 600
over
check "a new keeper" until_true 10 other_pid keeper "$keeper"
check "arms again on request" arm_again

# --- audit hangs: nothing can be recorded
check "plays again" play 1001
audit=$(pid_of audit)
kill -STOP "$audit"
expect 11 "audit hangs: arming is refused" 'audit_not_durable' "$HF" arm
check "and after the grace all is dark" ms_until_dark 3000
over
check "not by a trip: the heart went on beating" state_is silent
kill -CONT "$audit" 2> /dev/null

# --- audit dies
check "arms again when audit is back" arm_again
check "plays again" play 1001
audit=$(pid_of audit)
kill -KILL "$audit"
check "audit is started anew" until_true 10 other_pid audit "$audit"
over
"$HF" silence
check "arms again" arm_again

# --- auth dies: what plays goes on
check "plays again" play 1001
kill -KILL "$(pid_of auth)"
sleep 0.5
check "auth gone: it plays on" emitting 1

# --- the end
kill -TERM "$parent"
check "SIGTERM: dark" ms_until_dark 500
over
wait "$parent"
check "and the agent ends with 0" test $? = 0
expect 0 "the last word is silence" '' state_is silent
plan
