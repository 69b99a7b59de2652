#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: kills.py against the real holdfastd. HOLDFAST_KILLS (default 28) and HOLDFAST_SEED
# choose how many and which. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
guest_array lab
guest_config < /dev/null
export HF HFD
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
python3 "${0%/*}/kills.py" "${HOLDFAST_KILLS:-28}" "${HOLDFAST_SEED:-1}"
agent_complaints && bail "a process broke its sandbox"
exit 0
