#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: standby.py against the real holdfastd. HOLDFAST_TAKEOVERS (default 12) chooses how
# many. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab
guest_config <<END
agent: { standby_after_ms: 2000 }
auth: { argon2_kib: 1024, hash_workers: 1 } # else each start of auth touches 40 MB: seconds in this guest
api: { requests_per_minute: 1000000, network_enabled: false }
END
export HF HFD SANDBOX
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
python3 "${0%/*}/standby.py" "${HOLDFAST_TAKEOVERS:-12}"
cp "$LOG" "$VM_OUT/standby.log"
agent_complaints && bail "a process broke its sandbox"
exit 0
