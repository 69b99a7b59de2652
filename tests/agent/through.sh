#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: through.py against the real holdfastd. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
for name in t-tight t-fence t-frames t-energy; do
	useradd --no-create-home --shell /usr/sbin/nologin --groups holdfast "$name" || bail "useradd $name"
done
# what is measured here is not time: a busy host must not trip it
guest_array lab 'tick_late 5000' 'keeper_deadline 5000'
guest_config <<'END'
auth:
  remote_arming: never
  totp_required: true
  step_up_s: 60
  argon2_kib: 1024
api:
  requests_per_minute: 1000000
  login_per_minute: 1000
  block_after: 30
  block_s: 3600
END
# Tenants whose limits are tighter than the site's, and people for them.
sed -i -e '/^tenants:/r /dev/stdin' $ETC <<'END'
  - name: tight
    id: 11
    arrays: ["lab"]
    rights: [frames, raw]
    limits: { amp_cap: 6554, reject_burst: 4, reject_window: 60000 }
  - name: fence
    id: 12
    arrays: ["lab"]
    rights: [frames, raw]
    fence:
      - { x_um: 0, y_um: 0, z_um: 150000, limit_mpa: 1000000 }
  - name: frames
    id: 13
    arrays: ["lab"]
    rights: [frames, raw]
    quota: { frames: 5 }
  - name: energy
    id: 14
    arrays: ["lab"]
    rights: [frames, raw]
    quota: { energy_mj: 100 }
END
sed -i -e '/^peers:/r /dev/stdin' $ETC <<'END'
  - { user: t-tight, role: user, tenant: tight, name: peer-tight }
  - { user: t-fence, role: user, tenant: fence, name: peer-fence }
  - { user: t-frames, role: user, tenant: frames, name: peer-frames }
  - { user: t-energy, role: user, tenant: energy, name: peer-energy }
END
"$HFD" --config $ETC --check || bail "configuration"
for amp in 5 40; do
	"$HF" solve focus --at 0,0,150 --amp $amp% -o /tmp/$amp.hfs 2> /dev/null || bail solve
done
chmod 644 /tmp/*.hfs
agent_start
export HF ETC LOG AGENT_PID=$agent_pid
python3 "${0%/*}/through.py" || bail "through.py"
agent_complaints && bail "a process broke its sandbox"
agent_stop
