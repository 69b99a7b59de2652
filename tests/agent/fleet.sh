#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest: three hosts with an array each, their bus in a network namespace "hub", the process
# fleet of each in a namespace of its own, and a switch between them whose wires can be pulled. Whoever
# looks after them sits in the guest's own namespace, on the same switch. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

network() {
	local i
	ip netns add hub && ip -n hub link set lo up && ip -n hub link add br0 type bridge &&
		ip -n hub addr add 10.77.0.1/24 dev br0 && ip -n hub link set br0 up || return
	ip link set lo up && ip link add desk type veth peer name portd netns hub &&
		ip addr add 10.77.0.2/24 dev desk && ip link set desk up &&
		ip -n hub link set portd master br0 up || return
	for i in 0 1 2; do
		ip netns add "host$i" && ip -n "host$i" link set lo up &&
			ip link add "wire$i" netns "host$i" type veth peer name "port$i" netns hub &&
			ip -n "host$i" addr add "10.77.0.1$i/24" dev "wire$i" &&
			ip -n "host$i" link set "wire$i" up && ip -n hub link set "port$i" master br0 up || return
	done
}

# An authority of ours, a certificate of it for the bus; and one that nobody has asked for.
certificates() {
	mkdir -p /tmp/pki && cd /tmp/pki || return
	local ca
	for ca in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" \
			-keyout $ca.key -out $ca.pem 2> /dev/null || return
	done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bus.example \
		-keyout bus.key -out bus.csr 2> /dev/null &&
		printf 'subjectAltName=DNS:bus.example\nextendedKeyUsage=serverAuth\n' > bus.ext &&
		openssl x509 -req -in bus.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile bus.ext \
			-out bus.pem 2> /dev/null && chmod 644 ./*.pem || return
	cd - > /dev/null || return
}

folder() { install -d -o "$2" -m "$3" "$1" || bail "$1"; } # path user mode

host() {
	local role bus=1 run=/run/hf$1 state=/var/lib/hf$1
	[[ $1 != 0 ]] || bus=2	# host0 has somebody in the middle
	guest_array "lab$1"
	for role in config backup; do folder "$state/$role" holdfast-parent 700; done
	for role in audit auth keeper export; do folder "$state/$role" "holdfast-$role" 700; done
	folder "$run/parent" holdfast-parent 755
	for role in keeper local; do folder "$run/$role" "holdfast-$role" 755; done
	ln -s keeper/keeper.sock "$run/keeper.sock"
	ln -s local/api.sock "$run/api.sock"
	cat > "/etc/holdfast/hf$1.yaml" <<-END
	environment: test
	paths: { state: $state, run: $run }
	arrays: [ { match: lab$1, limits: { power_avg: 20000000 } } ]
	tenants: [ { name: lab, id: 1, arrays: ["lab$1"], rights: [frames, raw, arm] } ]
	peers:
	  - { uid: 0, role: admin, name: root }
	  - { user: hf-operator, role: operator, tenant: lab, name: peer-operator }
	audit: { warn_free_bytes: 33554432, refuse_free_bytes: 16777216, reserve_bytes: 1048576, segment_bytes: 65536 }
	api: { network_enabled: false }
	fleet:
	  servers: [ { address: "10.77.0.$bus" } ]
	  host: host$1
	  tls_name: bus.example
	  ca: /tmp/pki/ca.pem
	  user: agent$1
	  secret: fleet-bus
	  telemetry_s: 1
	END
	"$HFD" --config "/etc/holdfast/hf$1.yaml" --check || bail "configuration $1"
}

install -m 755 "$HFD" /tmp/holdfastd	# where every user can read it
guest_users
certificates || bail "certificates"
network || bail "network"
folder /etc/holdfast holdfast-parent 755
for i in 0 1 2; do host "$i"; done
"$HF" solve -d lab0 focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
export HF SANDBOX
PYTHONDONTWRITEBYTECODE=1 python3 "${0%/*}/fleet.py"
status=$?
cat /tmp/hf?.log > $LOG
agent_complaints && bail "a process broke its sandbox"
((status == 0)) || bail "fleet.py: $status"
exit 0
