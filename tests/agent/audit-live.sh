#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: audit-live.py against the real holdfastd, its state on a disk of 24 MiB.
# Argument: how the log is written, uring or portable. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

io=${1:?uring or portable}
guest_users
guest_array lab
mkdir -p /var/lib/holdfast /tmp/anchors
mount -t tmpfs -o size=24m,mode=755 none /var/lib/holdfast || bail "no small disk"
guest_config own-audit <<END
audit:
  io: $io
  segment_bytes: 65536
  checkpoint_records: 16
  checkpoint_ms: 100
  retention_days: 1
  keep_bytes: 1048576
  warn_free_bytes: 8388608
  refuse_free_bytes: 4194304
  reserve_bytes: 1048576
auth:
  pbkdf2_iterations: 10000000
api:
  requests_per_minute: 1000000
  block_after: 100000
export:
  anchors:
    - { kind: file, path: /tmp/anchors/lab, every_s: 1 }
END
export HF HFD ETC LOG
python3 "${0%/*}/audit-live.py" "$io" || bail "audit-live.py"
agent_complaints && bail "a process broke its sandbox"
exit 0
