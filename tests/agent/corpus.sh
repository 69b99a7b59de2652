#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: corpus_run.py against the real holdfastd. Prints TAP.
#   corpus.sh [SURFACE...]
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
useradd --no-create-home --shell /usr/sbin/nologin hf-nobody || bail "useradd hf-nobody"
# who may open the keeper's socket at all; hf-stranger may not
for name in hf-user hf-operator hf-guest hf-system hf-nobody; do
	usermod -aG holdfast "$name" || bail "group holdfast"
done
guest_array lab
guest_config <<'END'
auth:
  argon2_kib: 1024
  argon2_passes: 1
  step_up_s: 900
api:
  requests_per_minute: 1000000
  login_per_minute: 1000
  block_after: 100000
  connections_per_source: 512
  connections: 512
END
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
agent_start
HF_AGENT_PID=$agent_pid python3 "${0%/*}/corpus_run.py" "$@" || bail "corpus_run.py"
agent_complaints && bail "a process broke its sandbox"
agent_stop
