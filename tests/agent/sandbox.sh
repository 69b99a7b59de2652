#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: what each role can still do in its sandbox (probe.c), against this table.
# Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"

BIN=${BIN:-$PWD/build/agent/tests/probe}
dir=$(mktemp -d)
bail() { echo "Bail out! $*"; exit 1; }

systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf" 2> "$dir/users" || bail "no users"
mkdir -p /var/lib/holdfast
chmod 711 /var/lib/holdfast
for role in audit auth keeper; do
	install -d -m 700 -o "holdfast-$role" "/var/lib/holdfast/$role"
	install -m 600 -o "holdfast-$role" /dev/null "/var/lib/holdfast/$role/probe"
done
install -m 666 /dev/null /tmp/probe-shared

# The same for all: nothing may be executed, traced, forked or made executable; no old doors.
all="NoNewPrivs=1 Seccomp=2 CapBnd=0000000000000000 CapInh=0000000000000000 CapAmb=0000000000000000
	core=0 dumpable=0 shadow=EACCES read=ok packet=EPERM exec=EPERM fork=EPERM ptrace=EPERM kill=EPERM
	setuid=EPERM unshare=EPERM mmap=ok mprotect_exec=EPERM mmap_exec=EPERM bpf=EPERM keyctl=EPERM
	mount=EPERM process_vm_readv=EPERM perf_event_open=EPERM userfaultfd=EPERM init_module=EPERM
	personality=EPERM open_by_handle_at=EPERM pidfd_getfd=EPERM setns=EPERM chroot=EPERM
	settimeofday=EPERM memfd_create=EPERM setrlimit=EPERM ioctl_tty=EPERM"
no_caps="CapEff=0000000000000000 CapPrm=0000000000000000 scheduler=0 ioctl_array=EPERM"
no_uring="uring_setup=EPERM uring_register=EPERM uring_enter=EPERM"
no_socket="inet=EPERM inet6=EPERM unix=EPERM netlink=EPERM"
no_state="audit/probe=EACCES auth/probe=EACCES keeper/probe=EACCES"
read_only="create=EPERM append=EPERM thread=EPERM"
keeps="create=ok append=ok thread=ok"

declare -A want=(
	# EFAULT, EINVAL, EBADF: the call itself looks at its arguments, so it is let through
	[audit]="$no_caps $no_socket $keeps audit/probe=ok auth/probe=EACCES keeper/probe=EACCES
		uring_setup=EFAULT uring_register=EBADF uring_enter=EBADF no_uring=ok
		uring_setup_after=EPERM uring_register_after=EPERM uring_enter_after=EBADF"
	[auth]="$no_caps $no_socket $keeps $no_uring audit/probe=EACCES auth/probe=ok keeper/probe=EACCES"
	[keeper]="$no_uring $keeps inet=EPERM inet6=EPERM unix=ok netlink=ok
		audit/probe=EACCES auth/probe=EACCES keeper/probe=ok ioctl_array=ENOTTY
		CapEff=0000000000221000 CapPrm=0000000000221000 scheduler=1 sealed=ok
		sealed_CapEff=0000000000021000 sealed_CapPrm=0000000000021000"
	[export]="$no_caps $no_uring $no_state create=ok append=ok thread=EPERM inet=ok inet6=ok unix=EPERM netlink=EPERM"
	[fleet]="$no_caps $no_uring $no_state create=EPERM append=EPERM thread=ok inet=ok inet6=ok unix=EPERM netlink=EPERM"
	[local]="$no_caps $no_uring $no_state $read_only $no_socket"
	[front]="$no_caps $no_uring $no_state $read_only $no_socket"
)

for role in audit auth keeper export fleet local front; do
	rm -f /tmp/probe-file
	"$BIN" "$role" < /dev/null > "$dir/got" 2> "$dir/errors"
	status=$?
	wrong=
	for line in $all ${want[$role]}; do
		grep -qxF "$line" "$dir/got" || wrong+=" $line"
	done
	[[ $status == 0 && -z $wrong ]]
	ok $? "$role: $(wc -l < "$dir/got") results, as the table says"
	[[ -z $wrong && $status == 0 ]] || {
		echo "# wanted:$wrong"
		sed 's/^/# /' "$dir/got" "$dir/errors"
	}
	"$BIN" "$role" kill > /dev/null 2>&1 < /dev/null
	[[ $? == $((128 + 31)) ]]
	ok $? "$role: --sandbox kill: SIGSYS"
	expect $((128 + 31)) "$role: --sandbox trap names the call" 'system call 59 .execve.' \
		"$BIN" "$role" trap
done

sed -i.bak /^holdfast-auth:/d /etc/passwd
expect 2 "without the role's user nothing goes on" 'user holdfast-auth does not exist' "$BIN" auth
mv /etc/passwd.bak /etc/passwd
expect 2 "without the rights to give up nothing goes on" 'probe:' \
	setpriv --reuid 65534 --clear-groups "$BIN" audit
plan
