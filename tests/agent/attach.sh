#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: holdfastd as systemd runs it, without systemd. The parent and each process
# are started here with the user and the capabilities of their units (scripts/packaging/systemd);
# what they do to each other is judged from outside, and by the simulated output stage. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

BIN=/tmp/holdfastd	# where every user can read it
RUN=/run/holdfast
SOCKET=$RUN/parent/attach.sock
STATE=/var/lib/holdfast
sim=/sys/kernel/config/holdfast_sim/lab
told=/tmp/told
roles="audit auth keeper export local front"

said() { grep -aqE "$1" $LOG; }
said_since() { tail -n "+$mark" $LOG | grep -aqE "$1"; }
mark_log() { mark=$(($(wc -l < $LOG) + 1)); }
emitting() { [[ $(cat "$sim/emitting") == "$1" ]]; }
is_pid() { [[ $1 && -e /proc/$1 ]]; }
gone() { [[ ! -e /proc/$1 || $(awk '$1 == "State:" { print $2 }' "/proc/$1/status" 2> /dev/null) == [ZX] ]]; }
role_pid() { pgrep -f -- "^$BIN -x $1 --attach" | head -1; }
other_pid() { local now; now=$(role_pid "$1") && [[ $now && $now != "$2" ]]; }
ready() { until_true "$1" processes_ready "$2"; }
told_more() { [[ $(grep -c "$1" $told) -gt $2 ]]; }
fed() { told_more "^$1 WATCHDOG=1" "$2"; }
field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }

# caps_of UNIT: as setpriv has them, "cap_sys_rawio" is "+sys_rawio"
caps_of() {
	local cap list=-all caps
	read -ra caps < <(sed -n 's/^CapabilityBoundingSet=//p' "scripts/packaging/systemd/$1.service")
	for cap in "${caps[@]}"; do
		cap=${cap#CAP_}
		list+=,+${cap,,}
	done
	echo "$list"
}
user_of() { sed -n 's/^User=//p' "scripts/packaging/systemd/$1.service"; }
group_of() { sed -n 's/^Group=//p' "scripts/packaging/systemd/$1.service"; }

as_unit() { # unit program...: as systemd would start it
	local unit=$1 user group caps
	shift
	user=$(user_of "$unit")
	group=$(group_of "$unit")
	caps=$(caps_of "$unit")
	exec env -i NOTIFY_SOCKET="/tmp/notify/$unit" setpriv --reuid "$user" --regid "${group:-$user}" \
		--init-groups --inh-caps="$caps" --ambient-caps="$caps" --bounding-set="$caps" \
		--securebits=+noroot,+noroot_locked --no-new-privs "$@"
}
folder() { # path user mode
	install -d -o "$2" -m "$3" "$1" || bail "$1"
}
role_run() { (as_unit "holdfast-$1" $BIN -x "$1" --attach $SOCKET --sandbox "$SANDBOX" >> $LOG 2>&1) & }
# Restart=always; a shorter wait than RestartSec=1
role_keep() {
	(
		while [[ ! -e /tmp/enough ]]; do
			(as_unit "holdfast-$1" $BIN -x "$1" --attach $SOCKET --sandbox "$SANDBOX")
			sleep 0.5
		done >> $LOG 2>&1
	) &
}
parent_run() {
	local before
	before=$(grep -c '^holdfastd READY=1' $told)
	(as_unit holdfastd $BIN --config $ETC --attach $SOCKET >> $LOG 2>&1) &
	parent=$!
	# not the socket: the one before may have left it
	until_true 30 told_more '^holdfastd READY=1' "$before" || bail "no parent"
}

# What systemd would hear: "UNIT MESSAGE" a line.
listen() {
	mkdir -p /tmp/notify
	: > $told
	python3 - $told holdfastd holdfast-{audit,auth,keeper,export,local,front} <<-'END' &
	import os, select, socket, sys
	socks = {}
	for unit in sys.argv[2:]:
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	    s.bind("/tmp/notify/" + unit)
	    os.chmod("/tmp/notify/" + unit, 0o777)
	    socks[s] = unit
	out = open(sys.argv[1], "a", buffering=1)
	while True:
	    for s in select.select(list(socks), [], [])[0]:
	        out.write(socks[s] + " " + s.recv(4096).decode().replace("\n", " ") + "\n")
	END
	listener=$!
	until_true 5 test -S /tmp/notify/holdfast-front || bail "no listener"
}

install -m 755 "$HFD" $BIN
guest_users
guest_array lab
guest_config < /dev/null
: > $LOG
listen
for role in config backup; do folder $STATE/$role holdfast-parent 700; done
for role in audit auth keeper export; do folder $STATE/$role holdfast-$role 700; done
folder $RUN/parent holdfast-parent 755
for role in keeper local; do folder $RUN/$role holdfast-$role 755; done
ln -s keeper/keeper.sock $RUN/keeper.sock
ln -s local/api.sock $RUN/api.sock
chown holdfast-parent /etc/holdfast
sed -i 's/match: lab$/match: "*"/' $ETC	# and one that comes later

# --- what does not start
expect 4 "the parent is not root" 'must not be root' $BIN --attach $SOCKET
expect 4 "and has no capabilities" 'bounding set' \
	setpriv --reuid holdfast-parent --regid holdfast-parent --clear-groups $BIN --attach $SOCKET
once() { (as_unit "holdfast-$1" $BIN -x "$1" --attach $SOCKET); }
expect 1 "a process without a parent" 'attach.sock: No such file' once export
wanted() { (as_unit "holdfast-$1" $BIN --config "$2" --wanted "$1"); }
printf 'broken: [' > /tmp/broken.yaml
expect 0 "a broken file leaves no process out" 'broken.yaml' wanted front /tmp/broken.yaml
sed '$a api: { network_enabled: false }' $ETC > /tmp/no-network.yaml
expect 1 "one that is not wanted is" '' wanted front /tmp/no-network.yaml
expect 2 "and one that does not exist" 'no such process' \
	eval '(as_unit holdfast-front $BIN --config /tmp/broken.yaml --wanted parent)'

# --- the site's limits, by who alone may
expect 0 "--site sets limits and seals" 'array.site.*sealed' eval '(as_unit holdfast-site@ $BIN --site)'
expect 0 "twice is as good" 'array.site.*sealed' eval '(as_unit holdfast-site@ $BIN --site)'
expect 0 "of one array" 'array 0 .*sealed' eval '(as_unit holdfast-site@ $BIN --site 0)'
expect 0 "of all by name" 'array 0 .*sealed' eval '(as_unit holdfast-site@ $BIN --site all)'
expect 0 "of one that has gone again" '' eval '(as_unit holdfast-site@ $BIN --site 5)'
expect 2 "of what is no number" 'Usage' eval '(as_unit holdfast-site@ $BIN --site x)'

connect() { # user ROLE: connects and says what comes back
	setpriv --reuid "$1" --regid "$1" --clear-groups python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.settimeout(2)
print("closed" if not s.recv(65536) else "taken")' $SOCKET
}

# --- the start
parent_run
check "the parent is ready before its processes" until_true 5 grep -q '^holdfastd READY=1' $told
expect 0 "a stranger gets no place though all are free" '^closed$' connect hf-user

# One that breaks the rules, and lives on without its link.
setpriv --reuid holdfast-export --regid holdfast-export --clear-groups python3 - $SOCKET > /tmp/rogue 2>&1 <<-'END'
	import socket, sys, time
	def attach():
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	    s.settimeout(5)
	    s.connect(sys.argv[1])
	    return s
	first = attach()
	print("taken" if first.recv(65536) else "closed")
	first.send(b"rubbish")
	while first.recv(65536):
	    pass
	time.sleep(1.1)    # refusals are logged once a second
	print("again" if attach().recv(65536) else "never again")
END
check "who breaks the rules is cut off" grep -q '^taken$' /tmp/rogue
check "and does not come back" grep -q '^never again$' /tmp/rogue
check "which is said" said 'attach.refused.*was here before'

# A crowd of strangers at the door: whoever belongs inside waits, and comes in.
kill -STOP "$parent"
setpriv --reuid hf-user --regid hf-user --clear-groups python3 - $SOCKET > /tmp/crowd 2>&1 <<-'END' &
	import socket, sys, time
	crowd = []
	while len(crowd) < 1000:
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
	    try:
	        s.connect(sys.argv[1])
	    except BlockingIOError:
	        break
	    crowd.append(s)
	print("full", len(crowd), flush=True)
	time.sleep(60)
END
crowd=$!
check "the queue is full" until_true 10 grep -q '^full' /tmp/crowd
role_run export
exporter() { role_pid export > /dev/null && [[ $(role_pid export) ]]; }
check "a process waits in it" until_true 5 exporter
sleep 1
check "and still does" exporter
kill -CONT "$parent"
check "and is taken" until_true 10 grep -q '^holdfast-export READY=1' $told
kill $crowd
mark_log
kill -TERM "$(role_pid export)"
check "TERM to it: it has not failed" until_true 5 said_since 'process.stop.*export.*in order'
: > $told
for role in $roles; do role_keep "$role"; done
check "all six are ready" ready 60 6
for role in $roles; do
	pid=$(role_pid "$role")
	bad=
	[[ $(field "$pid" Uid) == "$(id -u "holdfast-$role")" ]] || bad+=" uid"
	[[ $(field "$pid" Seccomp) == 2 ]] || bad+=" seccomp"
	want=0000000000000000
	[[ $role != keeper ]] || want=0000000000021000	# NET_ADMIN, SYS_RAWIO
	[[ $(field "$pid" CapEff) == "$want" && $(field "$pid" CapPrm) == "$want" ]] || bad+=" capabilities"
	[[ $(field "$pid" CapAmb) == 0000000000000000 ]] || bad+=" ambient"
	grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits" || bad+=" core"
	grep -q "^holdfast-$role READY=1" $told || bad+=" READY=1"
	[[ -z $bad ]]
	ok $? "$role is narrowed and has said so${bad:+: not$bad}"
done
check "the parent has no capability" test "$(field "$parent" CapEff)$(field "$parent" CapPrm)" = \
	00000000000000000000000000000000
check "the parent can read nobody's folder" refused setpriv --reuid holdfast-parent \
	--regid holdfast-parent --clear-groups ls $STATE/auth
check "the array is sealed though the keeper cannot" says '"sealed": true' "$HF" status --json
check "with the site's limit" says 'power_avg .* 20.000 W' "$HF" envelope show
expect 7 "who is who is known" '' setpriv --reuid hf-operator --regid hf-operator --init-groups \
	"$HF" user list

# --- who may be a process
check "it is said" said 'attach.refused.*not the user of a role'
sleep 1.1
expect 0 "root is refused" '^closed$' connect root
sleep 1.1
expect 0 "a second audit is refused" '^closed$' connect holdfast-audit
check "because there is one" said 'there is one of this role'
check "all six are still ready" processes_ready 6
expect 2 "a process with a right too many does not start" 'bounding set' \
	setpriv --reuid holdfast-front --regid holdfast-front --clear-groups --no-new-privs \
	--securebits=+noroot,+noroot_locked build/agent/tests/probe front
expect 2 "nor with a group too many" 'is not one of' \
	setpriv --reuid holdfast-front --regid holdfast-front --groups holdfast --no-new-privs \
	--bounding-set=-all --securebits=+noroot,+noroot_locked build/agent/tests/probe front

# --- kill -9
for role in $roles; do
	mark_log
	before=$(role_pid "$role")
	kill -9 "$before"
	until_true 10 other_pid "$role" "$before" && ready 40 6 &&
		said_since "process.exit.*$role .pid $before.: its link is closed"
	ok $? "$role killed: the parent notices, takes the new one"
done
check "and it is in the log" until_true 5 says process.exit "$HF" audit search --action process.exit

# --- a process that hangs
before=$(role_pid export)
fed_before=$(grep -c '^holdfast-export WATCHDOG=1' $told)
check "its watchdog is fed" until_true 6 fed holdfast-export "$fed_before"
mark_log
kill -STOP "$before"
check "export hangs: its link is closed" until_true 10 said_since 'export.*no answer to PING'
check "the others go on" ready 2 5
kill -9 "$before"	# as WatchdogSec= does
check "the next one is taken" ready 40 6

# A watchdog is fed because the parent asked, not because time has passed.
kill -STOP "$parent"
sleep 0.5
fed_before=$(grep -c 'WATCHDOG=1' $told)
sleep 5
check "nobody asks: no watchdog is fed" test "$(grep -c 'WATCHDOG=1' $told)" = "$fed_before"
kill -CONT "$parent"
sleep 1
check "the parent goes on, with all six" ready 40 6

# --- reload, backup
sed -i 's/power_avg: 20000000/power_avg: 19000000/' $ETC
mark_log
kill -HUP "$parent"
check "HUP: the new configuration is in force" until_true 5 said_since 'config.reload.*in force'
check "and tightens" until_true 5 says 'power_avg .* 19.000 W' "$HF" envelope show
edit() { sed 's/power_avg: 19000000/power_avg: 18000000/' $ETC > /tmp/new.yaml; "$HF" config apply /tmp/new.yaml; }
check "config apply writes the file" eval 'edit && grep -q 18000000 $ETC'
expect 0 "--site reads what the parent has written" 'array.site' eval '(as_unit holdfast-site@ $BIN --site)'
expect 0 "--wanted, too" '' eval '(as_unit holdfast-local $BIN --wanted local)'
printf swordfish > /tmp/secret
expect 0 "a secret is kept" '' "$HF" secret set webhook --value-file /tmp/secret
expect 0 "a backup is made" 'sha256' "$HF" backup create
archive=$(compgen -G "$STATE/backup/*.tar" | tail -1)
expect 0 "it is whole and signed" 'good: of' "$HF" backup verify "$archive"
for part in auth/users.db auth/secrets audit/audit-00000001.log keeper/state.json config/000001.yaml; do
	check "$part is in it" grep -q "^$part\$" <(tar -tf "$archive")
done
check "no key is in it" refused grep -qE 'master\.key|backup\.key|signing-keys|first-run-secret' <(tar -tf "$archive")
check "restoring is refused while the agent runs" says 'is running' \
	refused "$HF" backup restore "$archive"

# --- an array that comes later
mark_log
guest_array lab2
check "an array that nobody has sealed is not taken" until_true 10 said_since 'array 1: stays silent until'
sleep 2
check "however long that takes" refused said_since 'array.kept.*array 1 '
expect 0 "--site of this one" 'array 1 .*has the limits.*sealed' eval '(as_unit holdfast-site@ $BIN --site 1)'
check "then it is taken, sealed" until_true 15 said_since 'array.kept.*array 1 .*sealed'
expect 0 "--site of all leaves those that are kept alone" 'array 0 .*is kept' \
	eval '(as_unit holdfast-site@ $BIN --site)'
echo 0 > /sys/kernel/config/holdfast_sim/lab2/live

# --- systemd stops one of them
for role in front keeper; do
	mark_log
	kill -TERM "$(role_pid $role)"
	check "TERM to $role: it ends in order" until_true 5 grep -q "^holdfast-$role STOPPING=1" $told
	check "and comes back" ready 40 6
	check "which is no failure" said_since "process.stop.*$role .*in order"
	check "nor said to be one" refused said_since "process.(exit|kill).*$role"
done
check "it is in the log" until_true 5 says process.stop "$HF" audit search --action process.stop

# --- the parent is killed
play() {
	"$HF" solve focus --at -40,0,150 --amp 5% -o /tmp/one.hfs 2> /dev/null
	until_true 10 "$HF" arm > /dev/null 2>&1
	setpriv --reuid hf-user --regid hf-user --groups holdfast "$HF" play --loop forever /tmp/one.hfs \
		> /tmp/play.log 2>&1 &
	player=$!
	until_true 5 emitting 1 || { cat /tmp/play.log; return 1; }
}
check "an array emits" play
pids=$(for role in $roles; do role_pid "$role"; done)
: > /tmp/enough
begin=${EPOCHREALTIME/./}
kill -9 "$parent"
check "the parent is killed: dark" until_true 2 emitting 0
none_left() { local p; for p in $pids; do gone "$p" || return 1; done; }
check "all of them end" until_true 3 none_left
echo "# dark and gone after $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
kill "$player" 2> /dev/null
sleep 1

# --- and in order
rm /tmp/enough
parent_run
for role in $roles; do role_run "$role"; done
check "they start again, in any order" ready 60 6
pids=$(for role in $roles; do role_pid "$role"; done)
mark_log
kill -TERM "$parent"
until_true 15 gone "$parent"
check "TERM to the parent: all end" until_true 3 none_left
check "in order" said_since 'agent.stop.*in order'
check "nothing was killed for it" refused said_since 'process.kill|did not end'
check "the log is sound" build/agent/holdfast-audit-verify $STATE/audit

# --- a restore, and a start in the middle of it
mkdir /tmp/ctl
install -m 755 "$HF" /tmp/ctl/holdfastctl
cat > /tmp/ctl/holdfast-audit-verify <<-END
	#!/bin/bash
	touch /tmp/ctl/inside
	for ((i = 0; i < 300; i++)); do [[ -e /tmp/ctl/on ]] && break; sleep 0.1; done
	exec $PWD/build/agent/holdfast-audit-verify "\$@"
END
chmod 755 /tmp/ctl/holdfast-audit-verify
cp "$archive" /tmp/good.tar
rm -r $RUN/parent	# as systemd does when the parent ends
/tmp/ctl/holdfastctl backup restore /tmp/good.tar > /tmp/ctl/out 2>&1 &
restore=$!
check "a restore is under way" until_true 20 test -e /tmp/ctl/inside
folder $RUN/parent holdfast-parent 755
expect 6 "no parent starts meanwhile" 'being restored' \
	eval '(as_unit holdfastd $BIN --config $ETC --attach $SOCKET)'
expect 1 "nor another restore" 'another restore' "$HF" backup restore /tmp/good.tar
touch /tmp/ctl/on
check "it comes to its end" wait $restore
check "nobody else can hold its lock" test "$(stat -c '%U %G %a' $RUN/holdfastd.lock)" = "root holdfast-parent 640"
check "nothing ended by a forbidden system call" refused agent_complaints
kill "$listener"
plan
