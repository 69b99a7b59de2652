#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: the agent keeps an array that emits ten frames a second; overhead_guest.py looks at what
# that takes, for HOLDFAST_OVERHEAD_S seconds each.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. tests/agent/guest.sh

guest_users
guest_array lab 'tick_late 5000' 'keeper_deadline 2000' 'trip_dwell 0' # other work of the machine must not trip it
guest_config <<'END'
api:
  requests_per_minute: 100000
END
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
ip link set lo up || bail loopback
agent_start
until_true 20 processes_ready 6 || bail "processes: $("$HF" agent status 2>&1)"
export HF AGENT_PID=$agent_pid
PYTHONPATH=tests/agent PYTHONDONTWRITEBYTECODE=1 python3 tests/bench/overhead_guest.py "$HOLDFAST_OVERHEAD_S" "$VM_OUT/overhead.json" ||
	bail "overhead_guest.py"
agent_stop
