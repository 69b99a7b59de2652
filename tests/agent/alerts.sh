#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: alerts.py against the real holdfastd, a real Prometheus and a real Alertmanager. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab 'tick_late 5000' 'keeper_deadline 2000' 'trip_dwell 0'
guest_config <<'END'
api:
  requests_per_minute: 100000
END
agent_start
until_true 60 processes_ready 6 || bail "processes: $("$HF" agent status 2>&1)"
export HF AGENT_PID=$agent_pid
python3 "${0%/*}/alerts.py" || bail "alerts.py: $(tail -n 5 /tmp/prometheus.log /tmp/alertmanager.log 2> /dev/null)"
agent_complaints && bail "a process broke its sandbox"
exit 0
