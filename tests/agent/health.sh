#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: health.py against the real holdfastd, its state on a disk of 24 MiB. Prints TAP.
set -uo pipefail
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

certificate() { # days
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$1" -subj /CN=localhost \
		-keyout /etc/holdfast/tls.key.new -out /etc/holdfast/tls.pem.new 2> /dev/null || bail certificate
	chgrp holdfast-front /etc/holdfast/tls.key.new && chmod 640 /etc/holdfast/tls.key.new || bail "key"
	mv /etc/holdfast/tls.key.new /etc/holdfast/tls.key
	mv /etc/holdfast/tls.pem.new /etc/holdfast/tls.pem
}
[[ ${1-} != certificate ]] || { certificate "$2"; exit; }

guest_users
guest_array lab 'tick_late 5000' 'keeper_deadline 900' 'trip_dwell 0'
mkdir -p /var/lib/holdfast /etc/holdfast
mount -t tmpfs -o size=24m,mode=755 none /var/lib/holdfast || bail "no small disk"
certificate 90
guest_config own-audit <<'END'
keeper: { beat_ms: 50 }
audit:
  segment_bytes: 65536
  warn_free_bytes: 8388608
  refuse_free_bytes: 4194304
  reserve_bytes: 1048576
api:
  requests_per_minute: 1000000
  connections: 64
  tls_certificate: /etc/holdfast/tls.pem
  tls_key: /etc/holdfast/tls.key
health: { memory_mib: 200, cpu_percent: 60 }
export:
  anchors:
    - { kind: syslog_tcp, host: "127.0.0.1", port: 601, every_s: 1 }
fleet:
  servers: [ { address: "127.0.0.1" } ]
  host: here
  tls: false
alerts:
  channels:
    - { name: sink, kind: webhook, url: "http://127.0.0.1:9099/" }
END
sed -i 's/id: 1$/&\n    max_leases: 16/' $ETC
"$HFD" --config $ETC --check || bail "configuration"
export HF
"$HF" solve focus --at 0,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null || bail solve
chmod 644 /tmp/one.hfs
python3 "${0%/*}/health.py" "$HFD" "$SANDBOX" "$ETC" "$LOG" || bail "health.py"
agent_complaints && bail "a process broke its sandbox"
exit 0
