#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: the agent as the first process of a container, without an engine. The
# options of scripts/packaging/container/run are carried out by hand: namespaces (not that of the
# network), a root that cannot be written, few nodes in /dev, capabilities, no io_uring. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

RUN=scripts/packaging/container/run
STATE=/var/lib/holdfast
root=/tmp/root
first=

said() { grep -aqE "$1" $LOG; }
asked_for() { sed -n "s/^--$1=//p" /tmp/options; }	# values of an option of the engine
status_is() { "$HF" -d "$1" status --json | grep -qE "\"$2\": \"?$3\"?,?"; }
ready() { # all of them; asked seldom, for asking takes the machine from those who start
	local _
	for _ in {1..240}; do
		! processes_ready 6 || return 0
		sleep 0.5
	done
	tail -n 20 $LOG
	return 1
}
post() { curl -sf -m 30 -X POST -H 'X-Holdfast: 1' --unix-socket /run/holdfast/api.sock "http://agent$1"; }
within() { nsenter -t "$first" -p -m "$@"; }
field() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$first/status"; }
mask_of() { # capabilities... : as /proc has them
	local cap number mask=0
	for cap in "$@"; do
		number=$(capsh --decode=ffffffffffffffff | tr '=,' '\n' | grep -n "^cap_${cap,,}$" | cut -d: -f1)
		mask=$((mask | 1 << (number - 2)))
	done
	printf '%016x' $mask
}

bind() { # from to [ro]
	if [[ -d $1 ]]; then mkdir -p "$root$2"; else install -D /dev/null "$root$2"; fi
	mount --bind "$1" "$root$2" || bail "bind $1"
	[[ ${3-} != ro ]] || mount -o remount,bind,ro "$root$2" || bail "read-only $2"
}

# The image: this machine's /usr, the programs, and no file of /etc but what is bound there.
image() {
	local name
	umount -R $root 2> /dev/null
	mkdir -p $root
	mount -t tmpfs -o mode=755 none $root || bail "no root"
	bind /usr /usr ro
	for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
	mkdir $root/dev $root/proc $root/sys $root/tmp $root/run $root/etc
	cp /etc/ld.so.cache $root/etc/
	install -D -t $root/agent "$HFD" "$HF"
	mount -t tmpfs -o mode=755 none $root/dev
	for name in null zero full random urandom; do bind "/dev/$name" "/dev/$name"; done
}

# container [CAPABILITY-LEFT-OUT]: what holds until its end is in $outer, $first
container() {
	local from to mode caps node
	ENGINE=echo IMAGE=image sh $RUN | tr ' ' '\n' > /tmp/options || bail "$RUN"
	image
	while IFS=: read -r from to mode; do bind "$from" "$to" "$mode"; done < <(asked_for volume)
	while read -r node; do bind "$node" "$node"; done < <(asked_for device)
	caps=$(asked_for cap-add | grep -vx "${1-}" | sed 's/^/+/' | paste -sd, | tr '[:upper:]' '[:lower:]')
	: > $LOG
	CAPS=-all,$caps MEMLOCK=$(asked_for ulimit | sed 's/.*=//') unshare --pid --mount --ipc --uts --fork \
		--kill-child bash -c '
		cd /tmp/root && mount -t proc none proc && mount -t sysfs -o ro none sys &&
		mount -o remount,bind,ro . && pivot_root . . && umount -l . && cd / &&
		ulimit -l $((MEMLOCK / 1024)) &&
		exec setpriv --no-new-privs --bounding-set "$CAPS" --inh-caps=-all /agent/holdfastd --sandbox kill' \
		>> $LOG 2>&1 &
	outer=$!
	until_true 120 begun
	first=$(pgrep -P $outer)
}
begun() { pgrep -P $outer > /dev/null || ! jobs -pr | grep -qx $outer; }
end() {
	kill -TERM "$first"
	wait $outer
}

guest_users
guest_array lab
guest_config < /dev/null
sed -i 's/match: lab/match: "*"/; s/arrays: \["lab"\]/arrays: ["*"]/' $ETC
[[ -e /etc/machine-id ]] || echo 0123456789abcdef0123456789abcdef > /etc/machine-id
# engines answer io_uring_setup(2) with EPERM as well, by their system call filter
echo 2 > /proc/sys/kernel/io_uring_disabled || bail "io_uring cannot be denied"

# --- what it does not start without, it names
container SETPCAP
wait $outer
ok $(($? != 4)) "without SETPCAP: status 4"
check "and says so" said 'capability|CAP_SETPCAP'
for cap in SETUID SETGID KILL; do
	container $cap
	wait $outer
	ok $(($? != 4)) "without $cap: status 4"
	check "and says so" said "CAP_$cap is missing"
done
container CHOWN
wait $outer
ok $(($? != 4)) "without CHOWN, the first start: status 4"
rm -rf ${STATE:?}/* /run/holdfast/*

# --- with what is asked for
container
check "six processes are ready" ready
check "it is the first process" test "$(awk '/^NSpid:/ { print $NF }' "/proc/$first/status")" = 1
check "of namespaces of its own" refused test /proc/self/ns/ipc -ef "/proc/$first/ns/ipc"
check "but for the network's" test /proc/self/ns/net -ef "/proc/$first/ns/net"
mapfile -t all < <(asked_for cap-add)
check "it has the capabilities asked for, no other" test "$(field CapBnd)" = "$(mask_of "${all[@]}")"
check "and there is none that it does not know" test ${#all[@]} = "$(grep -c '{ CAP_' agent/daemon/rights.c)"
check "its root cannot be written" eval '! within touch /x && ! within touch /etc/x && within touch /run/holdfast/x'
check "of devices it has five, and arrays" test "$(within ls /dev | wc -l)" = 6
check "io_uring is denied, and not needed" said 'commits by portable'
check "the keeper runs in real time" eval 'chrt -p "$(pgrep -P "$first" -f -- "-x keeper")" | grep SCHED_FIFO'
check "and its memory stays" refused said mlockall
check "the array has its limits, sealed" eval 'status_is lab sealed true && "$HF" envelope show | grep "power_avg.*20.000 W"'
check "arm, from the host" "$HF" arm --comment container
check "the array is armed" status_is lab state armed
check "silence, over the socket" post /v1/silence
check "the array is silent" until_true 5 status_is lab state silent
check "arm, from inside" within /agent/holdfastctl -d lab arm --comment container
before=$(pgrep -P "$first" -f -- '-x auth')
kill -9 "$before"
check "a process that is killed is back" eval 'until_true 20 test ! -e "/proc/$before" && ready'
end
ok $? "SIGTERM: exit 0"
check "in order" refused said 'process.kill'
check "the array is silent" status_is lab state silent
check "the log is sound" build/agent/holdfast-audit-verify $STATE/audit

# --- limits and seal are the host's: without CAP_SYS_ADMIN, the second start
guest_array second
check "holdfastd --site, on the host" "$HFD" --config $ETC --site
guest_array third	# what comes later a container does not see
container SYS_ADMIN
check "without SYS_ADMIN: six processes are ready" ready
check "an array has the limits that the host gave it" eval 'status_is second sealed true &&
	"$HF" -d second envelope show | grep "power_avg.*20.000 W"'
check "and can be armed" "$HF" -d second arm --comment container
check "one that nobody has sealed is not taken" until_true 20 said 'stays silent until holdfastd --site has sealed it'
check "and cannot be armed" refused "$HF" -d third arm --comment container
check "it has no keeper and is silent" eval 'status_is third sealed false && status_is third state silent'
check "until the host has seen to it" eval '"$HFD" --config $ETC --site &&
	until_true 20 "$HF" -d third arm --comment container'
check "no process has more" test "$(($(printf '%d' "0x$(field CapBnd)") & 1 << 21))" = 0
end
ok $? "SIGTERM: exit 0"
check "the log is sound" build/agent/holdfast-audit-verify $STATE/audit
agent_complaints && bail "a process broke its sandbox"
plan
