#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: kills.py against the real holdfastd. HOLDFAST_KILLS (default 40) and HOLDFAST_SEED
# choose how many and which. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

grace_ms=500
guest_users
guest_array lab
guest_config <<END
keeper: { audit_grace_ms: $grace_ms }
auth: { argon2_kib: 1024, hash_workers: 1 } # else each start of auth touches 40 MB: seconds in this guest
api: { requests_per_minute: 1000000 }
END
export HF HFD
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
python3 "${0%/*}/kills.py" "${HOLDFAST_KILLS:-40}" "${HOLDFAST_SEED:-1}" $grace_ms
cp "$LOG" "$VM_OUT/kills.log"
agent_complaints && bail "a process broke its sandbox"
exit 0
