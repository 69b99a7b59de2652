#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: three agents with an array each, a real nats-server -js, and between each agent and
# the server a proxy of fleet.py that can be cut. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

guest_users
for i in 0 1 2; do
	guest_array "lab$i"
	mkdir -p "/var/lib/hf$i" /etc/holdfast
	cat > "/etc/holdfast/hf$i.yaml" <<-END
	environment: test
	paths: { state: /var/lib/hf$i, run: /run/hf$i }
	arrays: [ { match: lab$i, limits: { power_avg: 20000000 } } ]
	tenants: [ { name: lab, id: 1, arrays: ["lab$i"], rights: [frames, arm] } ]
	peers:
	  - { uid: 0, role: admin, name: root }
	  - { user: hf-operator, role: operator, tenant: lab, name: peer-operator }
	audit: { warn_free_bytes: 33554432, refuse_free_bytes: 16777216, reserve_bytes: 1048576, segment_bytes: 65536 }
	api: { network_enabled: false }
	fleet:
	  servers: [ { address: "127.0.0.1", port: 423$i } ]
	  host: host$i
	  tls: false
	  user: agent$i
	  secret: fleet-bus
	  telemetry_s: 1
	END
	"$HFD" --config "/etc/holdfast/hf$i.yaml" --check || bail "configuration $i"
done
"$HF" solve -d lab0 focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
export HF HFD SANDBOX
python3 "${0%/*}/fleet.py" || bail "fleet.py"
cat /tmp/hf?.log > $LOG
agent_complaints && bail "a process broke its sandbox"
exit 0
