#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: metrics.py against the real holdfastd with an array in it. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab 'tick_late 5000' 'keeper_deadline 2000' 'trip_dwell 0'
guest_config <<'END'
api:
  requests_per_minute: 100000
export:
  anchors:
    - kind: syslog_tcp
      host: "127.0.0.1"
      port: 9
      every_s: 1
    - kind: syslog_tcp
      host: "127.0.0.1"
      port: 13
      every_s: 1
END
sed -i 's/rights: \[frames, raw, arm\]/&\n    quota: { frames: 1000, emission_ms: 600000 }/' $ETC
"$HFD" --config $ETC --check || bail "configuration"
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
agent_start
until_true 20 processes_ready 6 || bail "processes: $("$HF" agent status 2>&1)"
"$HF" fence add 0,0,200=500Pa > /dev/null 2>&1
export HF AGENT_PID=$agent_pid
python3 "${0%/*}/metrics.py" || bail "metrics.py"
agent_complaints && bail "a process broke its sandbox"
agent_stop
