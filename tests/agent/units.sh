#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: systemd itself, as the first process of a pid namespace, with the packaged
# units: their filters, users and folders are in force. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

# who has nothing to do with the network interface or with anchors, then all
most="holdfastd holdfast-audit holdfast-auth holdfast-keeper holdfast-local"
units="holdfastd holdfast-audit holdfast-auth holdfast-keeper holdfast-export holdfast-local holdfast-front"
LOG=$VM_OUT/systemd.log	# systemd mounts a /tmp of its own

there() { nsenter -t "$init" -p -m "$@"; }
up() { there systemctl is-system-running 2> /dev/null | grep -qE 'running|degraded|starting'; }
find_init() { init=$(pgrep -f '^/lib/systemd/systemd --system' | tail -1) && [[ $init ]]; }
show() { there systemctl show "$1" -p "$2" --value; }
all_are() { local u; for u in ${2:-$units}; do [[ $(show "$u" ActiveState) == "$1" ]] || { echo "$u: $(show "$u" ActiveState)"; return 1; }; done; }
no_restart() { local u; for u in $units; do [[ $(show "$u" NRestarts) == 0 ]] || { echo "$u: $(show "$u" NRestarts)"; return 1; }; done; }
restart() {
	there systemctl stop holdfastd && there systemctl reset-failed && until_true 30 all_are inactive &&
		there systemctl start holdfastd
}
# Result alone is "success" for one that never ran.
site_done() { [[ $(show holdfast-site@all Result) == success && $(show holdfast-site@all ExecMainExitTimestampMonotonic) != 0 ]]; }
calls() { show "$1" SystemCallFilter | tr ' ' '\n'; }
stored() { "$HF" secret list --json | grep -q '"tls-units"'; }
recorded() { "$HF" audit search --action "$1" --result ok --json | grep -q "\"event\""; }
journal() { there journalctl --no-pager -o cat -u "$1"; }
ready() { # number: of processes; when they are not, why. Asked seldom: asking takes time from who starts
	local u _
	for _ in {1..200}; do
		! processes_ready "$1" || return 0
		sleep 0.5
	done
	there systemctl --plain --no-pager list-units "holdfast*" --all
	for u in $units; do journal "$u" | tail -n 15; done
	return 1
}
drop_in() { # unit line
	mkdir -p "/etc/systemd/system/$1.service.d"
	printf '[Service]\n%s\n' "$2" > "/etc/systemd/system/$1.service.d/site.conf"
}

mkdir -p /usr/local/sbin
install -m 755 "$HFD" "$HF" /usr/local/sbin/
cp scripts/packaging/systemd/*.service /etc/systemd/system/
cp scripts/packaging/tmpfiles.d/holdfast.conf /usr/lib/tmpfiles.d/
HF=/usr/local/sbin/holdfastctl
HFD=/usr/local/sbin/holdfastd
guest_users
guest_array lab
guest_config <<-'END'
	export:
	  anchors:
	    - { kind: file, path: /srv/anchors/lab, every_s: 1 }
END
install -d -o holdfast-export -m 700 /srv/anchors
printf 'HOLDFAST_KEEPER__SEAL=false\nHOLDFAST_API__NETWORK_ENABLED=false\n' > /etc/default/holdfast
install -d -m 700 /etc/credstore
(umask 077 && head -c 32 /dev/urandom > /etc/credstore/holdfast-master)
drop_in holdfast-export Restart=no	# it will fail, once is enough
systemd-tmpfiles --create /usr/lib/tmpfiles.d/holdfast.conf || bail tmpfiles
systemctl mask -q systemd-udevd.service systemd-udev-trigger.service systemd-networkd.service \
	systemd-logind.service
# shared, as systemd has it where it is not in a container: it hands over credentials by a mount
env container=holdfast unshare --pid --fork --mount-proc --propagation shared /lib/systemd/systemd --system \
	--unit=sysinit.target --log-target=console --show-status=no > "$LOG" 2>&1 &
until_true 30 find_init || bail "no systemd"
until_true 180 up || bail "systemd is not up"

printf value > "$VM_OUT/value"

# --- /etc/default/holdfast, a key from systemd, and no folder for anchors
check "systemctl start holdfastd" there systemctl start holdfastd
check "all are ready but front and export" ready 4
check "their units are active" all_are active "$most"
check "the site's unit knows the environment" eval 'site_done &&
	grep -q "\"sealed\": false" <("$HF" status --json)'
check "so does front's unit" test "$(show holdfast-front ActiveState)" = inactive
check "and so does the parent" eval '"$HF" agent status --json | grep -A8 "\"front\"" | grep -q "\"off\""'
check "anchors go nowhere without a drop-in" eval 'journal holdfastd | grep -q "/srv/anchors/lab: Read-only"'
check "a secret is kept" eval '"$HF" secret set --value-file $VM_OUT/value tls-units && stored'
check "under the key that systemd gave" test ! -e /var/lib/holdfast/auth/master.key
check "which is not the agent's to change" refused "$HF" secret rotate
check "io_uring is audit's" eval 'calls holdfast-audit | grep -qx io_uring_setup'
for u in $units holdfast-site@all; do
	[[ $u == holdfast-audit ]] || check "not $u's" eval 'calls $u | grep -qx openat && ! calls $u | grep io_uring'
done
check "audit writes by it" eval 'journal holdfast-audit | grep "commits by uring"'

# --- a new key beside the old one, a folder for anchors, nothing in the environment
rm /etc/default/holdfast
mv /etc/credstore/holdfast-master /etc/credstore/holdfast-master-old
check "a new key is made" eval 'head -c 32 /dev/urandom |
	there systemd-creds encrypt --with-key=host --name=holdfast-master - /etc/holdfast-master.cred'
drop_in holdfast-auth LoadCredentialEncrypted=holdfast-master:/etc/holdfast-master.cred
drop_in holdfast-export ReadWritePaths=/srv/anchors
there systemctl daemon-reload
check "and all is started again" restart
check "all six are ready" ready 6
sleep 17	# longer than the keeper's watchdog
check "all units are active" all_are active
check "and nobody was started again" no_restart
check "the secret is there" stored
check "that its key is another one is recorded" until_true 10 recorded secret.rotate
rm /etc/credstore/holdfast-master-old
check "anchors are made" until_true 20 test -s /srv/anchors/lab
check "the array is sealed" grep -q '"sealed": true' <("$HF" status --json)
check "the site's unit has done it" site_done
check "the keeper runs in real time" grep -q 'SCHED_FIFO' <(chrt -p "$(pgrep -f -- '-x keeper --attach')")
check "a configuration is applied" eval 'sed s/power_avg:.*/power_avg:\ 19000000/ $ETC > $VM_OUT/new.yaml &&
	"$HF" config apply "$VM_OUT/new.yaml" && grep -q 19000000 $ETC'
check "systemctl reload holdfastd" there systemctl reload holdfastd
check "a backup is made" "$HF" backup create
before=$(pgrep -f -- '-x keeper --attach')
kill -STOP "$before"
check "a keeper that hangs is killed by its watchdog" until_true 40 test ! -e "/proc/$before"
check "and is back" ready 6
parent=$(show holdfastd MainPID)
there kill -9 "$parent"
check "a parent that is killed: another comes" until_true 20 eval '[[ $(show holdfastd MainPID) != @(0|"$parent") ]]'
check "and all are there again" ready 6
check "with the new key alone" stored
check "and still no other" test ! -e /var/lib/holdfast/auth/master.key
check "systemctl stop holdfastd" there systemctl stop holdfastd
check "all units are inactive, none failed" all_are inactive
check "the log is sound" build/agent/holdfast-audit-verify /var/lib/holdfast/audit
plan
