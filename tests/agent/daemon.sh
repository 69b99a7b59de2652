#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: the parent of the agent with fake roles (fakes.c), and what happens to it
# and to them: kill -9, hanging, reload, the order of the end. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"

BIN=${BIN:-$PWD/build/agent/tests/fakes}
roles="audit auth keeper export local front"
conf=/etc/holdfast/holdfast.yaml
dir=$(mktemp -d)
log=$dir/log
told=$dir/notify
bail() { echo "Bail out! $*"; sed 's/^/# /' "$log"; exit 1; }

until_true() { # seconds command...
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}
configure() { printf '%s\n' "$@" > "$conf"; }
said() { grep -qE "$1" "$log"; }
said_times() { [[ $(grep -cE "$2" "$log") == "$1" ]]; }
notified() { grep -qF "$1" "$told"; }
pid_of() { pgrep -P "$parent" -f -- "-x $1 " | head -1; }
other_pid() { local now; now=$(pid_of "$1") && [[ $now && $now != "$2" ]]; }
ready_pid() { local now; now=$(pid_of "$1"); [[ $now ]] && said "\"$1\".*fake.start.*pid $now "; }
back() { other_pid "$1" "$2" && ready_pid "$1"; }
field() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }

# What systemd would hear, one message a line.
listen() {
	python3 - "$dir/notify.sock" "$told" <<-'END' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	out = open(sys.argv[2], "a", buffering=1)
	while True:
	    out.write(s.recv(4096).decode().replace("\n", " ") + "\n")
	END
	listener=$!
	until_true 5 test -S "$dir/notify.sock" || bail "no listener"
}
start() {
	: > "$log"
	: > "$told"
	env -i SECRET=1 NOTIFY_SOCKET="$dir/notify.sock" WATCHDOG_USEC=1000000 "$BIN" 2> "$log" &
	parent=$!
	until_true 60 notified READY=1 || bail "not ready"
}

systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf" 2> "$log" || bail "no users"
mkdir -p /etc/holdfast
configure 'log: {level: info}'
: > "$told"
listen

# --- what does not start says why, and whether trying again could help
expect 0 "a good configuration" '' "$BIN" --check
configure 'log: {level: loud}'
expect 2 "a bad configuration, with line and column" 'holdfast.yaml:1:' "$BIN"
configure 'log: {level: info}'
expect 4 "not as root" 'CAP_SETUID|start as root' setpriv --reuid 65534 --clear-groups "$BIN"
expect 2 "a role by hand" 'for holdfastd itself' "$BIN" -x keeper
ln -s /etc /run/holdfast
expect 4 "a link where the run folder belongs" '/run/holdfast' "$BIN"
rm /run/holdfast

# --- the start
start
expect 6 "only one at a time" 'another holdfastd is running' "$BIN"
for role in $roles; do
	pid=$(pid_of "$role")
	user=holdfast-$role
	bad=
	[[ $(field "$pid" Uid) == "$(id -u "$user")" ]] || bad+=" uid"
	[[ $(field "$pid" Seccomp) == 2 ]] || bad+=" seccomp"
	[[ $(field "$pid" NoNewPrivs) == 1 ]] || bad+=" no_new_privs"
	want=0000000000000000
	[[ $role != keeper ]] || want=0000000000221000	# NET_ADMIN, SYS_RAWIO, SYS_ADMIN
	[[ $(field "$pid" CapEff) == "$want" && $(field "$pid" CapPrm) == "$want" ]] || bad+=" capabilities"
	[[ $(field "$pid" CapBnd) == 0000000000000000 ]] || bad+=" bounding"
	grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits" || bad+=" core"
	[[ ! -s /proc/$pid/environ ]] || bad+=" environment"
	[[ $(readlink "/proc/$pid/cwd") == / ]] || bad+=" cwd"
	[[ $(readlink "/proc/$pid/fd/0") == /dev/null ]] || bad+=" stdin"
	find "/proc/$pid/fd" -lname '*signalfd*' | grep -q . && bad+=" files"
	[[ $(find "/proc/$pid/fd" -lname '*lock*') == /proc/$pid/fd/4 ]] || bad+=" lock"
	grep -qE '^flags:.*0$' "/proc/$pid/fdinfo/4" || bad+=" lock-written"	# O_RDONLY
	[[ -z $bad ]]
	ok $? "$role is narrowed${bad:+: not$bad}"
done
check "the parent keeps few capabilities" test "$(field "$parent" CapEff)" = 0000000000000120
check "folders have their owners" test "$(stat -c %U:%a /var/lib/holdfast/audit)" = holdfast-audit:700
check "the watchdog is fed" until_true 3 notified WATCHDOG=1
check "the audit log hears of the start" until_true 2 said 'fake.append.*agent.start holdfastd ok'

# --- kill -9
for role in $roles; do
	before=$(pid_of "$role")
	kill -9 "$before"
	until_true 5 back "$role" "$before" && until_true 2 said "process.exit.*$role .pid $before.: signal 9"
	ok $? "$role killed and back"
done
check "the end of audit itself is recorded later" until_true 2 said 'fake.append.*process.exit audit error'
check "the others are told" said 'fake.notice.*auth gone'
check "keeper and auth have a fresh link" until_true 2 said "fake.whois.*auth is $(pid_of auth)"

before=$(pid_of export)
kill -9 "$before"
until_true 5 back export "$before"
before=$(pid_of export)
kill -9 "$before"
until_true 5 back export "$before"
check "the wait doubles" eval 'said "export .*again in 250 ms" && said "export .*again in 500 ms" &&
	said "export .*again in 1000 ms"'

# --- hanging
before=$(pid_of keeper)
kill -STOP "$before"
check "a keeper that hangs is killed and back" until_true 8 back keeper "$before"
check "because it did not answer" said "keeper .pid $before.: no answer to PING in 1000 ms"

# --- reload
configure 'log: {level: notice}' 'api: {body_max: 4000}'
: > "$told"
kill -HUP "$parent"
check "HUP: all take it" until_true 5 said_times 6 'fake.commit.*"notice"'
check "systemd hears of the reload" eval 'until_true 3 notified READY=1 &&
	grep -q "RELOADING=1 MONOTONIC_USEC=[0-9]" "$told"'
check "who sent it is recorded, and what it changed" until_true 2 \
	said "fake.append.*config.reload holdfastd ok by uid:0 pid $$, 2 changes"
configure 'log: {level: warn}' 'api: {body_max: 4321}'
kill -HUP "$parent"
check "HUP that a role refuses" until_true 5 said 'config.reload.*nothing is changed.*(front|local|auth): body_max'
sleep 0.3
check "nobody has taken it" said_times 0 'fake.commit.*"warn"'
configure 'log: [' 
kill -HUP "$parent"
check "HUP with a broken file" until_true 5 said 'config.error.*holdfast.yaml:'
check "the refusals are recorded" until_true 2 said 'fake.append.*config.reload .*refused'
before=$(pid_of front)
kill -9 "$before"
check "who starts anew gets the one in force" eval 'until_true 8 back front "$before" &&
	[[ $(grep -E "fake.commit" "$log" | tail -1) == *\"notice\"* ]]'
configure 'log: {level: info}'
before=$(pid_of local)
kill -9 "$before"
kill -HUP "$parent"
check "who is away during a reload starts with the new one" eval 'until_true 8 back local "$before" &&
	until_true 3 said "\"local\".*fake.commit.*\"info\""'

# --- the end
: > "$told"
kill -TERM "$parent"
wait "$parent"
ok $? "TERM: exit 0"
check "systemd hears of it" notified STOPPING=1
order=$(grep -oE '"process":"[a-z]+".*fake.stop' "$log" | sed -E 's/"process":"([a-z]+)".*/\1/' | tail -6 |
	tr '\n' ' ')
[[ $order =~ ^(front local|local front)\ keeper\ auth\ audit\ export\ $ ]]
ok $? "in order: $order"

start
children=$(pgrep -P "$parent" | tr '\n' ' ')
kill -9 "$parent"
none_left() { local p; for p in $children; do [[ ! -e /proc/$p ]] || return 1; done; }
begin=${EPOCHREALTIME/./}
until_true 3 none_left
took_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
[[ $took_ms -lt 2000 ]] && none_left
ok $? "without a parent all are gone in less than 2 s"
check "and end in order" said_times 6 'fake.stop.*parent gone'

# --- what is left of one that was killed is waited for, and killed if it does not end
start
left=$(pid_of audit)
"${0%/*}/hang.py" "$left" > "$dir/hang" &
holder=$!
until_true 30 test -s "$dir/hang" || bail "nothing hangs"
children=$(pgrep -P "$parent" | grep -vx "$left" | tr '\n' ' ')
kill -9 "$parent"
until_true 30 none_left		# they write into the log
began=$SECONDS
start
[[ $((SECONDS - began)) -ge 2 ]] && ! kill -0 "$left" 2> "$dir/gone" || [[ $(field "$left" State) == Z ]]
ok $? "a process that hangs holds the lock until the next parent has killed it"
kill "$holder"
check "and it says so" said "standby.kill.*1 processes of pid"
check "a takeover is recorded" until_true 30 said 'fake.append.*agent.takeover holdfastd ok'

# --- standing by (with arrays: standby.py)
"$BIN" --standby 2> "$dir/standby.log" &
standby=$!
standby_said() { grep -qE "$1" "$dir/standby.log"; }
check "a standby watches who is in charge" until_true 30 standby_said "standby.watching.*pid $parent is"
check "who is in charge knows" until_true 30 said "standby.there.*pid $standby stands by"
[[ $(find "/proc/$standby/fd" -lname '*socket*' | wc -l) == 1 && -z $(pgrep -P "$standby") ]]
ok $? "it has one socket and no process"
kill -HUP "$standby"
check "HUP: it looks at the configuration" until_true 30 standby_said 'standby.reload.*: good'
configure 'log: ['
kill -HUP "$standby"
check "and says what is wrong" until_true 30 standby_said 'standby.reload.*: not good'
expect 2 "a standby with a bad configuration" 'holdfast.yaml:[0-9]' "$BIN" --standby
kill -TERM "$parent"
wait "$parent"
wait "$standby"
[[ $? == 2 ]] && standby_said 'not good any more'
ok $? "it does not take over with it"
configure 'log: {level: info}'
start
"$BIN" --standby 2> "$dir/standby.log" &
standby=$!
check "another one" until_true 30 standby_said "standby.watching.*pid $parent is"
kill -TERM "$standby"
wait "$standby"
ok $? "TERM while standing by: exit 0"
check "and who is in charge knows" until_true 30 said "standby.gone.*pid $standby "
kill -TERM "$parent"
wait "$parent"
# As a restore does, whose own process has it.
python3 -c 'import fcntl, time; f = open("/run/holdfast/holdfastd.lock"); fcntl.flock(f, fcntl.LOCK_EX); print("", flush=True); time.sleep(600)' > "$dir/restore" &
restore=$!
until_true 30 test -s "$dir/restore" || bail "no lock"
"$BIN" --standby 2> "$dir/standby.log" &
standby=$!
sleep 4
[[ -z $(pgrep -P "$standby") ]] && kill -0 "$restore" && ! standby_said 'kill|ended'
ok $? "a restore is waited for, and left alone"
kill "$restore"
check "then it is in charge" until_true 30 standby_said agent.ready
kill -TERM "$standby"
wait "$standby"
ok $? "and ends in order"

# --- one that never starts does not keep the others from it
sed -i.bak /^holdfast-front:/d /etc/passwd
start
check "front has no user: the others are ready" eval 'for r in audit auth keeper export local; do
	ready_pid $r || exit 1; done'
check "it is tried again, later and later" until_true 8 said 'front .*again in 1000 ms'
check "and systemd is told" until_true 2 notified 'STATUS=without front'
kill -TERM "$parent"
wait "$parent"
ok $? "TERM meanwhile: exit 0"
mv /etc/passwd.bak /etc/passwd

# --- first process of a container
: > "$log"
: > "$told"
unshare -pf --mount-proc bash -c "(sleep 0.3 &) ; exec $BIN 2> $log" &
outer=$!
until_true 10 said agent.ready || bail "not ready as the first process"
parent=$(pgrep -P "$outer")
sleep 0.5
[[ $(ps --ppid "$parent" -o stat= | grep -c Z) == 0 ]]
ok $? "orphans are reaped"
kill -TERM "$parent"
wait "$outer"
ok $? "TERM as the first process: exit 0"

kill "$listener"
plan
