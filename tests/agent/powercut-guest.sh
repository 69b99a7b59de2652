#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest with a disk: holdfastd with its state there. Argument: load or last (powercut.py).
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

modprobe -a virtio_blk ext4 || bail modules
until_true 10 test -b /dev/vda || bail "no disk"
mkdir -p /var/lib/holdfast
mount -t ext4 /dev/vda /var/lib/holdfast || bail "mount"
guest_users > /dev/null 2>&1
[[ ! -d /var/lib/holdfast/audit ]] || python3 "${0%/*}/powercut_guest.py" "$1" before
guest_array lab
guest_config own-audit <<'END'
audit:
  segment_bytes: 65536
  warn_free_bytes: 4194304
  refuse_free_bytes: 2097152
  reserve_bytes: 1048576
api:
  requests_per_minute: 1000000
END
"$HFD" --config "$ETC" --sandbox "$SANDBOX" >> "$LOG" 2>&1 &
agent_pid=$!
until_true 120 processes_ready 6 || bail "not ready"
python3 "${0%/*}/powercut_guest.py" "$1" after || bail "powercut_guest.py"
[[ $1 == last ]] || bail "the load ended: $(tail -n 3 "$LOG")"
agent_stop || bail "end"
umount /var/lib/holdfast
