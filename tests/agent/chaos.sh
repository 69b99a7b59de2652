#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest whose time is simulated: chaos.py against the real holdfastd, its state on a small disk.
# HOLDFAST_CHAOS_S (default 180) and HOLDFAST_SEED choose how long and what. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

grace_ms=500
guest_users
guest_array lab
mkdir -p /var/lib/holdfast
mount -t tmpfs -o size=96m,mode=755 none /var/lib/holdfast || bail "no small disk"
guest_config own-audit <<END
keeper: { audit_grace_ms: $grace_ms }
auth: { argon2_kib: 1024, hash_workers: 1 } # else each start of auth touches 40 MB: seconds in this guest
api: { requests_per_minute: 1000000 }
audit: { segment_bytes: 1048576, warn_free_bytes: 8388608, refuse_free_bytes: 4194304, reserve_bytes: 1048576 }
export:
  anchors:
    - { kind: syslog_tcp, host: "127.0.0.1", port: 6010, every_s: 5 }
fleet:
  servers: [ { address: "127.0.0.1", port: 4223 } ]
  host: chaos
  tls: false
  telemetry_s: 5
END
export HF HFD
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
python3 "${0%/*}/chaos.py" "${HOLDFAST_CHAOS_S:-180}" "${HOLDFAST_SEED:-1}" $grace_ms
cp "$LOG" "$VM_OUT/chaos.log"
agent_complaints && bail "a process broke its sandbox"
exit 0
