#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: incidents.py against the real holdfastd and a real Alertmanager. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
mkdir -p /etc/holdfast
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=receiver -addext subjectAltName=IP:127.0.0.1 \
	-keyout /tmp/hook.key -out /etc/holdfast/hook.pem 2> /dev/null || bail certificate
guest_array lab 'tick_late 5000' 'keeper_deadline 2000' 'trip_dwell 0'
guest_config <<'END'
api:
  requests_per_minute: 100000
alerts:
  channels:
    - { name: hook, kind: webhook, url: "https://127.0.0.1:9099/hook", ca: /etc/holdfast/hook.pem, secret: export-hook }
    - { name: manager, kind: alertmanager, url: "http://127.0.0.1:9093" }
    - { name: log, kind: syslog_tcp, host: "127.0.0.1", port: 6514 }
    - { name: hang, kind: webhook, url: "http://127.0.0.1:9098/", min_severity: critical }
END
export HF
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
agent_start
until_true 60 processes_ready 6 || bail "processes: $("$HF" agent status 2>&1)"
export LOG AGENT_PID=$agent_pid
python3 "${0%/*}/incidents.py" || bail "incidents.py"
agent_complaints && bail "a process broke its sandbox"
exit 0
