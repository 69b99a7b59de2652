#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest. lm-sensors and prometheus-node-exporter show an array's sensors, limits and
# alarms, and nothing was configured for it. A lost sensor is never shown as a number. Prints TAP.
set -uo pipefail

tests=0
ok() { # status name
	tests=$((tests + 1))
	if [[ $1 == 0 ]]; then echo "ok $tests - $2"; else echo "not ok $tests - $2"; fi
}
bail() { echo "Bail out! $*"; exit 1; }

metrics=/tmp/metrics shown=/tmp/shown
port=9100

look() {
	sensors -u > "$shown" 2> /tmp/sensors.err
	curl -sS --max-time 20 "http://127.0.0.1:$port/metrics" > "$metrics" || bail "no metrics"
}

# has FEATURE LOW HIGH: `sensors -u` shows it within these bounds
has() {
	awk -v f="$1" -v lo="$2" -v hi="$3" '/^[a-z]+-/ { mine = /^holdfast/ }
		mine && $1 == f ":" { n++; v = $2 }
		END { if (n != 1 || v < lo - 1e-9 || v > hi + 1e-9) { print "# " f ": " (n ? v : "absent"); exit 1 } }' "$shown"
}

# metric NAME SENSOR LOW HIGH: so does the exporter
metric() {
	awk -v m="$1" -v s="sensor=\"$2\"" -v lo="$3" -v hi="$4" '
		index($1, m "{") == 1 && index($1, "holdfast") && index($1, s) { n++; v = $2 }
		END { if (n != 1 || v < lo - 1e-9 || v > hi + 1e-9) { print "# " m " " s ": " (n ? v : "absent"); exit 1 } }' \
		"$metrics"
}

both() { # file-name metric sensor low high
	has "$1" "$4" "$5" && metric "$2" "$3" "$4" "$5"
}

# until COMMAND...: looks again and again, for ten seconds
until_seen() {
	local i
	for ((i = 0; i < 20; i++)); do
		look
		"$@" > /tmp/why && return 0
		sleep 0.5
	done
	cat /tmp/why
	return 1
}

insmod "$HOLDFAST_MODDIR/holdfast.ko" && insmod "$HOLDFAST_MODDIR/holdfast_sim.ko" || bail "insmod"
sim=/sys/kernel/config/holdfast_sim/hwmon
mkdir $sim || bail "mkdir"
set_sim() { echo "$2" > "$sim/$1" || bail "$1"; }
set_sim rows 8 && set_sim cols 8 && set_sim temp_max_step_mc 0 && set_sim live 1

prometheus-node-exporter --collector.disable-defaults --collector.hwmon \
	--web.listen-address=127.0.0.1:$port 2> /tmp/exporter.log &
exporter=$!
for ((i = 0; i < 60; i++)); do
	curl -sS --max-time 5 "http://127.0.0.1:$port/" > /dev/null 2>&1 && break
	kill -0 $exporter 2> /dev/null || bail "exporter: $(tail -n1 /tmp/exporter.log)"
	sleep 0.5
done

until_seen has temp1_input 20 30
ok $? "sensors shows the array"

values() {
	both temp1_input node_hwmon_temp_celsius temp1 20 30 &&
		both temp2_input node_hwmon_temp_celsius temp2 20 30 &&
		both in0_input node_hwmon_in_volts in0 23 25 &&
		both curr1_input node_hwmon_curr_amps curr1 0.05 0.3 &&
		both fan1_input node_hwmon_fan_rpm fan1 2800 3200
}
values
ok $? "every sensor, in both"

limits() {
	both temp1_max node_hwmon_temp_max_celsius temp1 50 50 &&
		both temp1_crit node_hwmon_temp_crit_celsius temp1 60 60 &&
		both temp1_emergency node_hwmon_temp_emergency_celsius temp1 70 70 &&
		both in0_min node_hwmon_in_min_volts in0 21.6 21.6 &&
		both in0_max node_hwmon_in_max_volts in0 26.4 26.4 &&
		both curr1_max node_hwmon_curr_max_amps curr1 3.75 3.75 &&
		both fan1_min node_hwmon_fan_min_rpm fan1 1000 1000
}
limits
ok $? "every limit, in both"

labels() {
	local l
	for l in board heatsink supply current fan; do
		grep -q "^$l:" "$shown" || { echo "# sensors: no label $l"; return 1; }
		grep -q "^node_hwmon_sensor_label{.*label=\"$l\"" "$metrics" ||
			{ echo "# exporter: no label $l"; return 1; }
	done
}
labels
ok $? "labels, in both"

# The exporter scales alarms like values: 0.001 of a degree is an alarm, 0 is none.
no_alarm() {
	! grep -E 'alarm: *[^ 0]' "$shown" | sed 's/^/# /' | grep . &&
		! grep -E '^node_hwmon_.*_alarm.*holdfast.* [^ 0]' "$metrics" | sed 's/^/# /' | grep .
}
no_alarm
ok $? "no alarm while all is well"

alarm() { # file-name metric sensor
	has "$1" 1 1 && metric "$2" "$3" 0.001 1
}
alarms() {
	both temp1_input node_hwmon_temp_celsius temp1 61 63 &&
		alarm temp1_max_alarm node_hwmon_temp_max_alarm_celsius temp1 &&
		alarm temp1_crit_alarm node_hwmon_temp_crit_alarm_celsius temp1 &&
		alarm in0_min_alarm node_hwmon_in_min_alarm_volts in0 &&
		alarm fan1_min_alarm node_hwmon_fan_min_alarm fan1 &&
		both temp1_emergency_alarm node_hwmon_temp_emergency_alarm_celsius temp1 0 0 &&
		both temp2_crit_alarm node_hwmon_temp_crit_alarm_celsius temp2 0 0 &&
		both curr1_max_alarm node_hwmon_curr_max_alarm_amps curr1 0 0
}
set_sim fault_temp0 set:62000
set_sim supply_sag_mv 4000
set_sim fan_failed 1
until_seen alarms
ok $? "board at 62 degC, supply sagging, fan failed: the alarms of these and no other"
set_sim fault_temp0 none
set_sim supply_sag_mv 0
set_sim fan_failed 0
until_seen no_alarm
ok $? "and none when that is over"

# No number anywhere, and a fault where hwmon has a word for it.
lost() {
	local f
	for f in temp1_input in0_input curr1_input fan1_input; do
		! grep -E "^ *$f:" "$shown" | sed 's/^/# /' | grep . || return 1
	done
	! grep -E '^node_hwmon_(temp_celsius.*holdfast.*temp1|(in_volts|curr_amps|fan_rpm).*holdfast)' \
		"$metrics" | sed 's/^/# /' | grep . || return 1
	both temp1_fault node_hwmon_temp_fault temp1 1 1 &&
		both fan1_fault node_hwmon_fan_fault fan1 1 1 &&
		both temp2_input node_hwmon_temp_celsius temp2 20 40
}
set_sim fault_temp0 lost
set_sim fault_supply nan
set_sim fault_current stuck
set_sim fault_fan stale
until_seen lost
ok $? "sensors that are lost, nonsense, stuck or stale have no number, the other has"
set_sim fault_temp0 none
set_sim fault_supply none
set_sim fault_current none
set_sim fault_fan none
until_seen values
ok $? "all are back when the faults are gone"

kill $exporter
wait $exporter 2> /dev/null
echo "1..$tests"
