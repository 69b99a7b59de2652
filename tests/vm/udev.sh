#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The udev rule, the group and the uevents, with the real systemd-udevd of the machine. Runs in a
# guest, as root, with a simulated array of its own; prints TAP.
set -euo pipefail

sim=/sys/kernel/config/holdfast_sim
n=0

ok() { # title command...
	local title=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $title"
	else
		echo "not ok $n - $title"
	fi
}

wait_for() {
	local i
	for ((i = 0; i < 50; i++)); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

setup() {
	local module
	for module in holdfast holdfast_sim; do
		[[ -d /sys/module/$module ]] || insmod "$HOLDFAST_MODDIR/$module.ko"
	done
	[[ -d $sim ]] || mount -t configfs none /sys/kernel/config
	mkdir -p /run/udev/rules.d
	cp scripts/packaging/udev/72-holdfast.rules /run/udev/rules.d/
	systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf"
	/lib/systemd/systemd-udevd --daemon
	udevadm monitor --kernel --property --subsystem-match=holdfast > /run/uevents &
	monitor=$!
	mkdir "$sim/udev-1"
	echo 1 > "$sim/udev-1/live"
	node=/dev/$(< "$sim/udev-1/array")
	udevadm settle
}

has_event() { grep -qxF -- "$1" /run/uevents; }

trip() {
	python3 - "$node" <<-'END'
	import fcntl, os, struct, sys
	fd = os.open(sys.argv[1], os.O_RDONLY)
	fcntl.ioctl(fd, 3 << 30 | 8 << 16 | 0xDF << 8 | 0x21, bytearray(struct.pack("II", 8, 1)))
	END
}

by_id_gone() { [[ ! -e /dev/holdfast/by-id/sim-udev-1 ]]; }

main() {
	setup
	ok "the group is there" grep -q "^holdfast:" /etc/group
	ok "the node belongs to it" test "$(stat -c %G "$node")" = holdfast
	ok "group and owner may open it, nobody else" test "$(stat -c %a "$node")" = 660
	ok "its name by model and serial" \
		test "$(readlink -f /dev/holdfast/by-id/sim-udev-1)" = "$node"
	ok "no tag gives it to whoever sits at the screen" \
		test -z "$(udevadm info --query=property --property=TAGS --value "$node" | grep uaccess)"
	trip
	ok "a trip is a uevent with its state" wait_for has_event HOLDFAST_STATE=tripped
	ok "and its cause" wait_for has_event HOLDFAST_CAUSE=operator
	ok "and its sequence number" \
		wait_for grep -qx "HOLDFAST_EVENT_SEQ=[1-9][0-9]*" /run/uevents
	echo 0 > "$sim/udev-1/live"
	udevadm settle
	ok "the name goes with the array" wait_for by_id_gone
	kill "$monitor"
	udevadm control --exit
	echo "1..$n"
}

main
