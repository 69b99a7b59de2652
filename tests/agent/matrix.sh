#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: matrix.py against the real holdfastd. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab
guest_config <<'END'
api:
  requests_per_minute: 1000000
  login_per_minute: 1000
  block_after: 100000
  connections_per_source: 512
  connections: 512
END
agent_start
python3 "${0%/*}/matrix.py" || bail "matrix.py"
agent_complaints && bail "a process broke its sandbox"
agent_stop
