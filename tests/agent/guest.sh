# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Sourced by tests that run in a guest (scripts/vm): the real holdfastd with its users, a simulated
# array and a configuration. Everything it makes is gone with the guest.

HF=${HF:-build/agent/holdfastctl}
HFD=${HFD:-build/agent/holdfastd}
SANDBOX=${SANDBOX:-kill}	# a system call that the sandbox forbids must not stay unnoticed
ETC=/etc/holdfast/holdfast.yaml
LOG=/tmp/holdfastd.log

bail() {
	echo "Bail out! $*"
	tail -n 40 "$LOG" 2> /dev/null | sed 's/^/# /'
	exit 1
}

# until_true SECONDS CMD…
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.05
	done
}

guest_users() {
	systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf" || bail sysusers
	local name
	# people of the laboratory; who they are for the agent is in the configuration
	for name in hf-user hf-operator hf-admin hf-system hf-stranger hf-guest; do
		useradd --no-create-home --shell /usr/sbin/nologin "$name" || bail "useradd $name"
	done
	usermod -aG holdfast hf-operator || bail "group holdfast"
}

# guest_array SERIAL [LIMIT...]: limits of its nameplate, "name value"
guest_array() {
	local limit
	[[ -d /sys/kernel/config/holdfast_sim ]] || {
		insmod "$HOLDFAST_MODDIR/holdfast.ko" && insmod "$HOLDFAST_MODDIR/holdfast_sim.ko"
	} || bail modules
	mkdir "/sys/kernel/config/holdfast_sim/$1" || bail "array $1"
	for limit in "${@:2}"; do
		echo "$limit" > "/sys/kernel/config/holdfast_sim/$1/limit" || bail "$limit"
	done
	echo 1 > "/sys/kernel/config/holdfast_sim/$1/live" || bail "array $1"
	until_true 5 compgen -G '/dev/holdfast[0-9]*' > /dev/null || bail "no device"
	# the rule of udev, which does not run in the guest
	chgrp holdfast /dev/holdfast[0-9]*
	chmod 660 /dev/holdfast[0-9]*
}

guest_config() { # [own-audit]; more sections on standard input
	mkdir -p /etc/holdfast
	{
		cat <<-'END'
		environment: test
		arrays:
		  - match: lab
		    limits:
		      power_avg: 20000000
		tenants:
		  - name: lab
		    id: 1
		    arrays: ["lab"]
		    rights: [frames, raw, arm]
		  - name: other
		    id: 2
		    arrays: ["elsewhere"]
		    rights: [frames]
		peers:
		  - { uid: 0, role: admin, name: root }
		  - { user: hf-user, role: user, tenant: lab, name: peer-user }
		  - { user: hf-operator, role: operator, tenant: lab, name: peer-operator }
		  - { user: hf-admin, role: admin, name: peer-admin }
		  - { user: hf-system, role: system, name: peer-system }
		  - { user: hf-guest, role: operator, tenant: other, name: peer-guest }
		END
		# the guest's disk is small
		[[ ${1-} == own-audit ]] || printf 'audit: { %s }\n' \
			'warn_free_bytes: 33554432, refuse_free_bytes: 16777216, reserve_bytes: 1048576'
		cat
	} > $ETC
	chmod 644 $ETC
	"$HFD" --config $ETC --check || bail "configuration: $("$HFD" --config $ETC --check 2>&1)"
}

agent_answers() { "$HF" agent version > /dev/null 2>&1; }
processes_ready() { # number
	[[ $("$HF" agent status --json 2> /dev/null | grep -c '"state": "ready"') == "$1" ]]
}

agent_pid=
agent_start() {
	"$HFD" --config $ETC --sandbox "$SANDBOX" >> $LOG 2>&1 &
	agent_pid=$!
	until_true 60 agent_answers || bail "no answer from holdfastd"
}

# pid_of ROLE: as the kernel has it, not as the agent says
pid_of() { pgrep -P "$agent_pid" -f -- "-x $1"; }

agent_stop() {
	[[ $agent_pid ]] || return 0
	kill -TERM "$agent_pid"
	wait "$agent_pid"
}

# crashed: did any process end by SIGSYS or by a sanitizer?
agent_complaints() { grep -aE 'SIGSYS|signal 31|AddressSanitizer|runtime error|LeakSanitizer' $LOG; }
