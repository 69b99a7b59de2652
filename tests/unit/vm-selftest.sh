#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests scripts/vm, in TAP: what a guest does must come out as documented, above all when it dies.
set -euo pipefail

vm=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/scripts/vm
VM_OUT=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-vm-selftest.XXXXXX")
export VM_OUT
trap 'rm -rf "$VM_OUT"' EXIT
count=0

# guest NAME STATUS OUTPUT VM-ARGUMENT…: exit status and standard output must be these
guest() {
	local name=$1 want_status=$2 want_out=$3 status=0 out
	shift 3
	count=$((count + 1))
	out=$("$vm" "$@" 2> "$VM_OUT/err") || status=$?
	if [[ $status == "$want_status" && $out == "$want_out" ]]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# wanted '$want_out' and status $want_status, got '$out' and $status"
		sed 's/^/# /' "$VM_OUT/err"
	fi
}

# A record that the guest has synced is there after its death.
record='echo written > $VM_OUT/record && sync -d $VM_OUT/record'
record_kept() {
	count=$((count + 1))
	if [[ $(cat "$VM_OUT/record" 2> /dev/null) == written ]]; then
		echo "ok $count - $1: the synced record is there"
	else
		echo "not ok $count - $1: the synced record is there"
	fi
	rm -f "$VM_OUT/record"
}

for kernel in uml 6.12; do
	guest "$kernel: output and status" 3 "one  two" --kernel "$kernel" -- \
		bash -c 'echo "$1"; echo noise >&2; exit 3' - "one  two"
	guest "$kernel: panic" 200 before --kernel "$kernel" --timeout 60 -- \
		bash -c "echo before; $record; echo c > /proc/sysrq-trigger; sleep 60"
	record_kept "$kernel: panic"
	guest "$kernel: reboot" 200 before --kernel "$kernel" --timeout 60 -- \
		bash -c "echo before; $record; echo b > /proc/sysrq-trigger; sleep 60"
	record_kept "$kernel: reboot"
done
guest "6.1 boots" 0 "" --kernel 6.1 --timeout 60 -- true
guest "no such command" 127 "" -- no-such-command
guest "the time is up" 124 before --timeout 3 -- bash -c 'echo before; sleep 60'
guest "the tree is a scratch layer" 0 "" -- bash -c 'touch vm-selftest-was-here /etc/vm-selftest'
guest "a complaint of the kernel with --strict" 201 "" --strict -- \
	bash -c 'echo "<1>BUG: made up" > /dev/kmsg'
guest "simulated time" 0 "100000.00" --time-travel --timeout 60 -- \
	bash -c 'sleep 100000; cut -d" " -f1 /proc/uptime'

count=$((count + 1))
if [[ -e ${vm%/*}/../vm-selftest-was-here || -e /etc/vm-selftest ]]; then
	echo "not ok $count - nothing is left on the host"
else
	echo "ok $count - nothing is left on the host"
fi
echo "1..$count"
