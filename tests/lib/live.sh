#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: holdfastctl against the driver and a simulated array, as a day in a laboratory
# goes. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/tap.sh"

HF=${HF:-build/agent/holdfastctl}
dir=$(mktemp -d)
bail() { echo "Bail out! $*"; exit 1; }

# until_true SECONDS CMD…
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.05
	done
}
state_is() { "$HF" status --json | grep -q "\"state\": \"$1\""; }
socket_there() { [[ -S /run/holdfast/keeper.sock ]]; }
keeper=
start_keeper() { # options
	"$HF" keep "$@" > "$dir/keep.log" 2>&1 &
	keeper=$!
	until_true 5 socket_there || bail "no keeper: $(cat "$dir/keep.log")"
	until_true 5 grep -q '^keeper of array' "$dir/keep.log" ||
		bail "no keeper: $(cat "$dir/keep.log")"
}

insmod "$HOLDFAST_MODDIR/holdfast.ko" || bail holdfast.ko
insmod "$HOLDFAST_MODDIR/holdfast_sim.ko" || bail holdfast_sim.ko
sim=/sys/kernel/config/holdfast_sim/lab
mkdir "$sim" || bail "no array"
echo 1 > "$sim/live" || bail "no live array"
until_true 5 test -e /dev/holdfast0 || bail "no device"
until_true 5 "$HF" self-test > "$dir/self-test.log" || bail "self-test: $(cat "$dir/self-test.log")"

expect 0 "list" '^0 +sim +lab +256 channels +silent' "$HF" list
expect 0 "chosen by its serial" 'serial": "lab"' "$HF" -d lab status --json
expect 0 "chosen by its path" 'lab' "$HF" -d /dev/holdfast0 status
expect 0 "geometry comes from the array" '50 frames of 256' \
	"$HF" solve focus --at 0,0,150 --circle 10mm --frames 50 --amp 30% --rate 50 -o "$dir/c.hfs"
"$HF" solve focus --at -40,0,150 --amp 5% -o "$dir/one.hfs" 2> /dev/null

# --- without a keeper
expect 6 "arm without a keeper" 'no keeper at' "$HF" arm
expect 6 "play without a keeper" 'no keeper at' "$HF" play "$dir/c.hfs"
expect 0 "play as its own keeper" '50 frames sent, 0 attenuated, 0 refused' \
	"$HF" play --keep "$dir/c.hfs"
expect 0 "afterwards it is silent" '' state_is silent
expect 0 "and nobody keeps it" '"beat_ns": 0,' "$HF" status --json

"$HF" play --keep --loop forever "$dir/one.hfs" 2> "$dir/play.log" &
player=$!
until_true 10 state_is emitting
ok $? "plays for ever as its own keeper"
kill -KILL $player
wait $player 2> /dev/null
until_true 5 state_is silent
ok $? "killed, it leaves silence"
no_keeper() { "$HF" status --json | grep -q '"beat_ns": 0,'; }
until_true 5 no_keeper
ok $? "and no keeper"

# --- limits of the site
expect 0 "fence add" '' "$HF" fence add 0,0,300=200Pa 100,0,150=1kPa
expect 0 "fence list" '^0 +0.000,0.000,300.000 mm +200.000 Pa' "$HF" fence list
expect 0 "fence remove" '' "$HF" fence remove 0,0,300
expect 1 "fence remove again" 'there is no fence point' "$HF" fence remove 0,0,300
expect 0 "the other is still there" '^0 +100.000,0.000,150.000 mm +1000.000 Pa' "$HF" fence list
printf '0,0,500\n-10,0,500\n' > "$dir/surface.csv"
printf '10,0,500\n0,0,500\n' > "$dir/more.csv"
expect 0 "surface set" '' "$HF" surface set "$dir/surface.csv"
expect 0 "surface add" '' "$HF" surface add "$dir/more.csv"
expect 0 "surface show" '^3 points, each visited within 1.000 s' "$HF" surface show
expect 0 "surface show, sorted" '^2 +10.000,0.000,500.000 mm +0.000 Pa' "$HF" surface show
expect 0 "surface as JSON" '"scan_ms": 1000' "$HF" surface show --json
expect 0 "surface clear" '' "$HF" surface clear
expect 0 "surface show none" '^$' "$HF" surface show
expect 0 "surface again" '' "$HF" surface set "$dir/surface.csv"
expect 0 "status shows the surface" 'surface .* 0.0 Pa mean of .* point 0 of 2' "$HF" status
expect 0 "envelope set" '' "$HF" envelope set power_avg=25W temp_warn=45C hold=400ms
expect 0 "is in the site" 'power_avg +ceiling +30.000 W +25.000 W +25.000 W' "$HF" envelope show
expect 2 "no such limit" 'there is no limit "colour"' "$HF" envelope set colour=3
expect 2 "a wrong unit" 'unit "V" is not one of' "$HF" envelope set temp_warn=3V
expect 2 "beyond the range" 'where -40000 to 150000 is allowed' "$HF" envelope set temp_warn=500C
expect 0 "forbid a channel" '' "$HF" envelope set --forbid 3,17-18
expect 0 "is forbidden" 'forbidden channels: 3,17,18' "$HF" envelope show
expect 7 "tighten does not loosen" 'power_avg' "$HF" envelope tighten power_avg=26W
expect 0 "tighten tightens" '' "$HF" envelope tighten power_avg=24W

# --- with a keeper
start_keeper --group nogroup --arm-allowed
expect 1 "a second keeper is turned away" 'Address already in use' "$HF" keep
expect 0 "arm" '' "$HF" arm
expect 1 "arm twice" 'not in the state' "$HF" arm
expect 0 "play" '50 frames sent, 0 attenuated, 0 refused' "$HF" play "$dir/c.hfs"
expect 0 "focus, made by the driver" '^20 frames sent, 0 attenuated, 0 refused' \
	"$HF" focus --at 0,0,150 --at 20,0,150 --amp 20% --rate 40 --for 500ms
expect 3 "focus outside of the workspace" 'frame 0 refused: focus 0 box_max_z: .* where .* is allowed' \
	"$HF" focus --at 0,0,9999 --amp 20% --for 1s
expect 1 "set while armed" 'only while silent' "$HF" envelope set power_avg=20W
printf '2,256\n' > "$dir/raw.csv"
for _ in 1 2; do
	printf '0.5%.0s,' {1..255}
	echo 0.5
done >> "$dir/raw.csv"
expect 0 "play CSV" '2 frames sent' "$HF" play --rate 20 --amp 10% "$dir/raw.csv"
printf '1,3\n0,0,0\n' > "$dir/three.csv"
expect 1 "play for another array" 'the file has 3 channels, the array 256' \
	"$HF" play --rate 20 "$dir/three.csv"

# --- somebody steps into the fence
expect 0 "a fence point where the focus goes, while armed" '' "$HF" fence add 10,0,150=100Pa
expect 3 "refused, in words" 'frame 0 refused: fence point [01]: [0-9.]+ Pa where 100.000 Pa is allowed' \
	"$HF" play "$dir/c.hfs"
expect 0 "attenuated" '50 frames sent, [1-9][0-9]* attenuated, 0 refused' \
	"$HF" play --attenuate "$dir/c.hfs"
expect 0 "skipped" '50 frames sent, 0 attenuated, [1-9]' \
	timeout 60 "$HF" play --rate 20 --skip-refused "$dir/c.hfs"
expect 0 "explain says what refused" 'last refused +fence point [01]: ' "$HF" explain
expect 0 "status shows the fence" 'fence point [01] .* of 100.0 Pa' "$HF" status
state_is tripped || "$HF" silence

# --- Ctrl-C
"$HF" arm
"$HF" play --loop forever "$dir/one.hfs" 2> "$dir/play.log" &
player=$!
until_true 5 state_is emitting
ok $? "plays for ever"
expect 0 "lease list shows it" 'holdfastctl play .*rights 0x3 pid [0-9]+ admitted [1-9]' "$HF" lease list
kill -INT $player
wait $player
ok $(($? != 8)) "Ctrl-C ends it with status 8"
expect 0 "and silences" '' state_is silent
expect 0 "it says so" 'silenced' cat "$dir/play.log"

# --- a sensor fails while a hologram plays
"$HF" arm
"$HF" play --loop forever "$dir/one.hfs" 2> "$dir/play.log" &
player=$!
until_true 5 state_is emitting
echo lost > "$sim/fault_temp0"
wait $player
ok $(($? != 4)) "a trip ends the player with status 4"
expect 0 "which says why" 'the array has tripped: sensor-lost' cat "$dir/play.log"
expect 0 "trip" 'sensor-lost \(critical\)' "$HF" trip
expect 0 "trip, as JSON" '"cause": "sensor-lost"' "$HF" trip --json
expect 0 "black box is frozen" 'frozen by a trip' "$HF" blackbox
expect 0 "explain" 'TRIPPED by +sensor-lost' "$HF" explain
sleep 1.2
expect 3 "reset while the cause stands" 'reset' "$HF" reset
echo none > "$sim/fault_temp0"
# A sensor that failed is believed after three readings.
until_true 5 "$HF" reset 2> /dev/null
ok $? "reset afterwards"
expect 0 "is silent" '' state_is silent

# --- the operator's own stop, and one for whom the group is not enough
expect 0 "silence --latch" '' "$HF" silence --latch
expect 0 "trips" '"trip_cause": "operator"' "$HF" status --json
sleep 1.2
chmod 0666 /dev/holdfast0
as() { setpriv --reuid nobody --regid daemon "$@"; }
expect 7 "a stranger gets no lease" 'Permission denied' as --clear-groups "$HF" reset
expect 7 "the group may not reset" 'rights 0x8 where 0x7 is allowed for uid 65534' \
	as --groups nogroup "$HF" reset
expect 0 "root resets" '' "$HF" reset
expect 0 "the group may arm" '' as --groups nogroup "$HF" arm
expect 0 "a stranger may silence" '' as --clear-groups "$HF" silence
expect 0 "is silent" '' state_is silent
kill "$keeper"
wait "$keeper" 2> /dev/null
start_keeper --group nogroup --arm-allowed --foci-only
chmod 755 "$dir"
expect 7 "foci only: a stream is refused" 'rights 0x3 where 0x5 is allowed for uid 65534' \
	as --groups nogroup "$HF" play "$dir/one.hfs"
expect 0 "foci are not" '^[0-9]+ frames sent, 0 attenuated, 0 refused' \
	as --groups nogroup "$HF" focus --at 0,0,150 --amp 5% --arm --for 200ms
expect 0 "silence after it" '' "$HF" silence
chmod 0666 /run/holdfast/keeper.sock
expect 7 "an open socket is not an open door" 'uid 65534 is neither root nor in group nogroup' \
	as --clear-groups "$HF" arm

# --- events
expect 0 "events" 'trip .*sensor-lost' "$HF" events
expect 0 "events are numbered without gaps" '' sh -c \
	"'$HF' events --json | python3 -c 'import json,sys
s=[json.loads(l) for l in sys.stdin]
assert [e[\"seq\"] for e in s] == list(range(1, len(s) + 1)) and not any(e[\"lost\"] for e in s)'"
expect 0 "events since" '^[0-9 :.-]+#3 ' sh -c "'$HF' events --since 2 | head -n 1"
expect 0 "telemetry" '"state":"silent"' "$HF" events --group telemetry --json
"$HF" events --follow --since now > "$dir/follow.log" &
follower=$!
# It hears of what comes after it began, which nobody sees from here.
self_test_followed() { "$HF" self-test > /dev/null && sleep 0.2 && grep -q self-test "$dir/follow.log"; }
until_true 5 self_test_followed
ok $? "events --follow sees a new one"
kill $follower
wait $follower
ok $? "and ends when told to"
joined() { [[ -s $1 ]] && tr '\n' ' ' < "$1" | grep -qE "$2"; } # FILE PATTERN
"$HF" status --watch --interval 600s > "$dir/slow.log" &
slow=$!
until_true 30 joined "$dir/slow.log" 'silent admitted'
"$HF" status --watch --interval 200ms > "$dir/watch.log" &
watcher=$!
until_true 30 joined "$dir/watch.log" '(silent admitted.*){5}'
ok $? "watch, not on a terminal: a line each time"
expect 0 "at its interval" '^1$' grep -c 'silent admitted' "$dir/slow.log"
kill $watcher $slow
wait $watcher
ok $? "and that ends when told to"
wait $slow
script -qfc "$HF status --watch -i 200ms" "$dir/terminal.log" > /dev/null < /dev/null &
watcher=$!
until_true 30 joined "$dir/terminal.log" $'\033\\[H.*array 0.*\033\\[K.*\033\\[J'
ok $? "watch, on a terminal: redrawn in place"
kill $watcher
wait $watcher
expect 0 "what the socket loses comes out of the ring" '900 events, 0 lost, 1 replays' \
	build/tests/lib/replay

# --- the keeper stops following: SIGSTOP is noticed by its missing beat
"$HF" arm
kill -STOP "$keeper"
until_true 5 state_is tripped
ok $? "a stopped keeper trips the array"
expect 0 "by its deadline" '"trip_cause": "keeper-deadline"' "$HF" status --json
kill -CONT "$keeper"
kill -KILL "$keeper"
wait "$keeper" 2> /dev/null
start_keeper --seal
ok $? "a new keeper replaces what the killed one left"
sleep 1.2
expect 0 "reset by the new one" '' "$HF" reset
expect 7 "sealed: set is refused" '' "$HF" envelope set power_avg=25W
expect 7 "sealed: fence remove is refused" '' "$HF" fence remove 100,0,150
expect 7 "sealed: surface clear is refused" '' "$HF" surface clear
expect 0 "sealed: surface add is not" '' "$HF" surface add "$dir/more.csv"
expect 0 "sealed: tighten is not" '' "$HF" envelope tighten power_avg=20W
expect 0 "sealed says the status" 'sealed' "$HF" status

# --- the array goes away under the keeper
echo 0 > "$sim/live"
wait "$keeper" 2> /dev/null
ok $(($? != 5)) "the keeper of an array that has gone ends with status 5"
expect 5 "status of an array that has gone" 'no such array' "$HF" status
plan
