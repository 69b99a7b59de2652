#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: configuration and backup of the real agent. A configuration is applied,
# refused, taken back; a backup is made, everything is changed, and the backup is put back. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

STATE=/var/lib/holdfast
version() { "$HF" config history --json | grep -c '"version"'; }
limit_of() { grep -h "power_avg" $ETC | tr -dc 0-9; }
edit() { sed "$@" $ETC > /tmp/new.yaml; }
state_sum() { (cd $STATE && find . -type f ! -path './audit/*' -exec sha256sum {} + | sort | sha256sum); }

guest_users
guest_array lab
guest_config < /dev/null
agent_start
until_true 20 processes_ready 6 || bail "processes: $("$HF" agent status 2>&1)"

# --- configuration
check "the file at the start is version 1" says '^ *1 ' "$HF" config history
edit 's/power_avg: 20000000/power_avg: 19000000/'
check "a difference is shown and changes nothing" says 'power_avg.*20000000 -> 19000000' \
	"$HF" config diff /tmp/new.yaml
expect 0 "tightening is applied" 'version 2' "$HF" config apply -m tighter /tmp/new.yaml
check "the file in force is the new one" test "$(limit_of)" = 19000000
edit 's/power_avg: 19000000/power_avg: 20000000/'
check "loosening is refused once sealed, and says why" says 'needs.*reboot|reboot' \
	refused "$HF" config apply /tmp/new.yaml
check "the file is as before" test "$(limit_of)" = 19000000
check "no version came of it" test "$(version)" = 2
edit 's/power_avg: 19000000/power_avg: 19 W/'
check "an error is said with its place" says 'new.yaml:[0-9]+:[0-9]+: arrays.0.limits.power_avg' \
	refused "$HF" config apply /tmp/new.yaml
check "going back to a looser version is refused, too" refused "$HF" config rollback 1
{ cat $ETC; printf 'keeper:\n  beat_ms: 50\n'; } > /tmp/new.yaml
expect 0 "a live value is applied" 'version 3' "$HF" config apply -m beat /tmp/new.yaml
expect 0 "and taken back" 'version' "$HF" config rollback 2
check "the file is that of version 2" refused grep -q beat_ms $ETC
check "what was done is in the audit log" says 'config.change' "$HF" audit search --action config.change
printf 'broken: [' > $ETC
kill -HUP "$agent_pid"
check "a broken file at SIGHUP changes nothing" until_true 5 grep -aq 'nothing is changed\|no valid YAML\|config.reload' $LOG
"$HF" config get > $ETC
check "the configuration in force can be had" "$HF" config check $ETC

# --- backup
echo 'correct horse battery staple' > /tmp/password
expect 0 "a user is made" '' "$HF" user add alice --role operator --password-file /tmp/password
printf swordfish > /tmp/secret
expect 0 "a secret is kept" '' "$HF" secret set webhook --value-file /tmp/secret
check "it is not readable in the state" refused grep -raq swordfish $STATE
expect 0 "a backup is made" 'sha256' "$HF" backup create
archive=$(compgen -G "$STATE/backup/*.tar" | tail -1)
[[ $archive ]] || bail "no archive"
check "its mode is 0600" test "$(stat -c %a "$archive")" = 600
expect 0 "it is whole and signed" 'good: of' "$HF" backup verify "$archive"
check "no key is in it" refused grep -qE 'master\.key|backup\.key|signing-keys|first-run-secret' <(tar -tf "$archive")
for part in auth/users.db auth/secrets audit/audit-00000001.log config/000002.yaml MANIFEST.sig; do
	check "$part is in it" grep -q "^$part\$" <(tar -tf "$archive")
done
cp "$archive" /tmp/good.tar
cp $STATE/config/backup.pub /tmp/backup.pub
check "restoring is refused while the agent runs" says 'is running' \
	refused "$HF" backup restore /tmp/good.tar
expect 0 "a user is removed" '' "$HF" user remove alice
{ cat $ETC; printf 'keeper:\n  beat_ms: 60\n'; } > /tmp/new.yaml
expect 0 "the configuration is changed" 'version' "$HF" config apply /tmp/new.yaml
agent_stop

before=$(state_sum)
size=$(stat -c %s /tmp/good.tar)
bad=0
for at in 0 124 156 257 600 $((size / 3)) $((size / 2)) $((size - 3000)) $((size - 1500)) $((size - 1)); do
	cp /tmp/good.tar /tmp/bad.tar
	printf '\x5a' | dd of=/tmp/bad.tar bs=1 seek="$at" conv=notrunc status=none
	"$HF" backup restore /tmp/bad.tar > /dev/null 2>&1 && bad=$((bad + 1))
	head -c "$at" /tmp/good.tar > /tmp/bad.tar
	"$HF" backup restore /tmp/bad.tar > /dev/null 2>&1 && bad=$((bad + 1))
done
check "20 damaged archives are refused" test $bad = 0
printf '%064d\n' 0 > /tmp/other.pub
check "one of another key is refused" refused "$HF" backup restore --key /tmp/other.pub /tmp/good.tar
check "and nothing was touched" test "$before" = "$(state_sum)"
check "nor is anything left beside the state" refused compgen -G "$STATE.restore-*"

# Its verifier is the one beside it: this one tries to start the agent in the middle of the restore.
mkdir /tmp/ctl
install -m 755 "$HF" /tmp/ctl/holdfastctl
cat > /tmp/ctl/holdfast-audit-verify <<-END
	#!/bin/bash
	timeout 10 $PWD/$HFD --config $ETC > /tmp/ctl/agent 2>&1
	echo \$? > /tmp/ctl/status
	exec $PWD/build/agent/holdfast-audit-verify "\$@"
END
chmod 755 /tmp/ctl/holdfast-audit-verify
start_ns=$(date +%s%N)
expect 0 "the backup is put back" 'restored: of' \
	/tmp/ctl/holdfastctl backup restore --key /tmp/backup.pub /tmp/good.tar
check "no agent starts meanwhile" eval '[[ $(< /tmp/ctl/status) == 6 ]] || { cat /tmp/ctl/agent; false; }'
agent_start
until_true 20 processes_ready 6 || bail "processes after the restore: $("$HF" agent status 2>&1)"
echo "# restored and ready again in $((($(date +%s%N) - start_ns) / 1000000)) ms"
check "the removed user is there again" says alice "$HF" user list
check "the secret is there" says webhook "$HF" secret list
check "the configuration is that of the backup" refused grep -q 'beat_ms: 60' $ETC
check "the array is silent" says silent "$HF" status
check "the log has a record of it" until_true 5 says backup.restored \
	"$HF" audit search --action backup.restored
agent_stop
check "the log is sound" says '' build/agent/holdfast-audit-verify $STATE/audit
check "the state before is kept" compgen -G "$STATE.before-*"
check "nothing ended by a forbidden system call" refused agent_complaints
plan
