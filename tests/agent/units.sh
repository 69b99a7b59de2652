#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: systemd itself, as the first process of a pid namespace, with the packaged
# units: their filters, users and folders are in force. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

units="holdfastd holdfast-audit holdfast-auth holdfast-keeper holdfast-export holdfast-local holdfast-front"
LOG=$VM_OUT/systemd.log	# systemd mounts a /tmp of its own

check() { # name command...
	local name=$1
	shift
	"$@" > "$VM_OUT/units.out" 2>&1
	local status=$?
	ok $status "$name"
	[[ $status == 0 ]] || sed 's/^/# /' "$VM_OUT/units.out"
}
refused() { ! "$@"; }
there() { nsenter -t "$init" -p -m "$@"; }
up() { there systemctl is-system-running 2> /dev/null | grep -qE 'running|degraded|starting'; }
find_init() { init=$(pgrep -f '^/lib/systemd/systemd --system' | tail -1) && [[ $init ]]; }
show() { there systemctl show "$1" -p "$2" --value; }
all_are() { local u; for u in $units; do [[ $(show "$u" ActiveState) == "$1" ]] || { echo "$u: $(show "$u" ActiveState)"; return 1; }; done; }
no_restart() { local u; for u in $units; do [[ $(show "$u" NRestarts) == 0 ]] || { echo "$u: $(show "$u" NRestarts)"; return 1; }; done; }
main_pid() { show "$1" MainPID; }

mkdir -p /usr/local/sbin
install -m 755 "$HFD" "$HF" /usr/local/sbin/
cp scripts/packaging/systemd/*.service /etc/systemd/system/
cp scripts/packaging/tmpfiles.d/holdfast.conf /usr/lib/tmpfiles.d/
HF=/usr/local/sbin/holdfastctl
HFD=/usr/local/sbin/holdfastd
guest_users
guest_array lab
guest_config < /dev/null
systemd-tmpfiles --create /usr/lib/tmpfiles.d/holdfast.conf || bail tmpfiles
systemctl mask -q systemd-udevd.service systemd-udev-trigger.service systemd-networkd.service \
	systemd-logind.service
env container=holdfast unshare --pid --fork --mount-proc /lib/systemd/systemd --system \
	--unit=sysinit.target --log-target=console --show-status=no > "$LOG" 2>&1 &
until_true 10 find_init || bail "no systemd"
until_true 60 up || bail "systemd is not up"

check "systemctl start holdfastd" there systemctl start holdfastd
check "all six are ready" until_true 30 processes_ready 6
sleep 8	# longer than the keeper's watchdog
check "all units are active" all_are active
check "and nobody was started again" no_restart
check "the array is sealed" grep -q '"sealed": true' <("$HF" status --json)
check "the site's unit has done it" test "$(show holdfast-site Result)" = success
check "the keeper runs in real time" grep -q 'SCHED_FIFO' <(chrt -p "$(pgrep -f -- '-x keeper --attach')")
check "a configuration is applied" eval 'sed s/power_avg:.*/power_avg:\ 19000000/ $ETC > $VM_OUT/new.yaml &&
	"$HF" config apply "$VM_OUT/new.yaml" && grep -q 19000000 $ETC'
check "systemctl reload holdfastd" there systemctl reload holdfastd
check "a backup is made" "$HF" backup create
before=$(pgrep -f -- '-x keeper --attach')
kill -STOP "$before"
check "a keeper that hangs is killed by its watchdog" until_true 20 test ! -e "/proc/$before"
check "and is back" until_true 20 processes_ready 6
kill -9 "$(pgrep -f -- '^/usr/local/sbin/holdfastd --attach')"
check "a parent that is killed: all are there again" eval 'sleep 3; { until_true 40 processes_ready 6 || { there systemctl --plain --no-pager list-units "holdfast*" --all; "$HF" agent status; false; }; }'
check "systemctl stop holdfastd" there systemctl stop holdfastd
check "all units are inactive, none failed" all_are inactive
check "the log is sound" build/agent/holdfast-audit-verify /var/lib/holdfast/audit
plan
