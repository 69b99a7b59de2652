#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: degrade.py against the real holdfastd, its state on a disk of 32 MiB. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab
mkdir -p /var/lib/holdfast
mount -t tmpfs -o size=32m,mode=755 none /var/lib/holdfast || bail "no small disk"
guest_config own-audit <<'END'
keeper:
  audit_grace_ms: 500
audit:
  segment_bytes: 65536
  warn_free_bytes: 8388608
  refuse_free_bytes: 4194304
  reserve_bytes: 1048576
api:
  requests_per_minute: 120
  block_after: 100000
  connections_per_source: 16
export:
  anchors:
    - kind: syslog_tcp
      host: "127.0.0.1"
      port: 9
      every_s: 1
END
export HF
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
: > /tmp/play.log
agent_start
python3 "${0%/*}/degrade.py" || bail "degrade.py"
agent_complaints && bail "a process broke its sandbox"
agent_stop
