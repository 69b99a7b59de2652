#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: the real auth process in its sandbox, asked over the API's sockets: first
# run, log-ins, sessions, tokens, lock-out, secrets, keys, and kill -9. Prints TAP.
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. "${0%/*}/../lib/tap.sh"
# shellcheck source=tests/agent/guest.sh
. "${0%/*}/guest.sh"

AUTH=/var/lib/holdfast/auth
PASSWORD='correct horse battery'
dir=$(mktemp -d)

# ask local|net METHOD PATH [BODY] [HEADER]: the answer's JSON on stdout. $from: another source address.
from=
ask() {
	local via=$1 method=$2 path=$3 body=${4-} header=${5-}
	local args=(-s -m 30 -X "$method" -H 'Content-Type: application/json' -H 'X-Holdfast: 1' -D "$dir/head")
	[[ $via == local ]] && args+=(--unix-socket /run/holdfast/api.sock)
	[[ $header ]] && args+=(-H "$header")
	[[ $from ]] && args+=(--interface "$from")
	[[ $body ]] && args+=(--data-binary "$body")
	curl "${args[@]}" "http://127.0.0.1:8240$path"
}
cookie() { sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p' "$dir/head" | tr -d '\r'; }
# By somebody whom the kernel's word gives no role.
stranger() { setpriv --reuid hf-stranger --regid hf-stranger --clear-groups "${@}"; }
as_stranger() { # method path body
	stranger curl -s -m 30 -X "$1" -H 'Content-Type: application/json' -H 'X-Holdfast: 1' \
		--unix-socket /run/holdfast/api.sock --data-binary "$3" "http://127.0.0.1:8240$2"
}
log_in() { ask net POST /v1/login "{\"user\":\"$1\",\"password\":\"$2\"}"; }

guest_users
mkdir -p /etc/holdfast
cat > "$ETC" <<-'END'
	environment: test
	# the guest's disk is its memory
	audit: { reserve_bytes: 1048576, refuse_free_bytes: 2097152, warn_free_bytes: 4194304 }
	api: { requests_per_minute: 100000, login_per_minute: 1000, block_after: 100000 }
	peers:
	  - { uid: 0, role: admin, name: root }
END
agent_start
ip link set lo up 2> /dev/null

# --- first run
expect 0 "first run is said" '"first_run": ?true' ask local GET /v1/version
expect 0 "one-time secret is ours alone" '^600 holdfast-auth 44$' stat -c '%a %U %s' $AUTH/first-run-secret
secret=$(cat $AUTH/first-run-secret)
body="{\"secret\":\"$secret\",\"user\":\"ann\",\"password\":\"$PASSWORD\"}"
expect 0 "not over the network" '"network"' ask net POST /v1/setup "$body"
expect 0 "not with another secret" '"wrong_secret"' ask local POST /v1/setup "${body/$secret/${secret/?/_}}"
expect 0 "a stranger with the secret" '"user": ?"ann"' as_stranger POST /v1/setup "$body"
expect 0 "only once" '"set_up"' ask local POST /v1/setup "${body/ann/eve}"
expect 1 "the file is gone" '' test -e $AUTH/first-run-secret

# --- log in
log_in ann "$PASSWORD" > "$dir/login"
ann=$(cookie)
expect 0 "log in" '"role": ?"admin"' cat "$dir/login"
expect 1 "the secret is in the cookie only" '' grep -q "${ann#*=}" "$dir/login"
expect 0 "the session works" '"name": ?"ann"' ask net GET /v1/whoami '' "Cookie: $ann"
expect 1 "and is not in the database" '' grep -qa "${ann#*=}" $AUTH/users.db
wrong_log_in() { log_in "$1" wrong | sed 's/"correlation_id":"[0-9a-f]*"//'; }
wrong_log_in ann > "$dir/wrong"
wrong_log_in nobody > "$dir/nobody"
expect 0 "wrong password and unknown user look alike" '' cmp "$dir/wrong" "$dir/nobody"
expect 0 "they are refused" '"wrong_credentials"' cat "$dir/wrong"

# --- what a session may
expect 0 "make an operator" '"role": ?"operator"' ask net POST /v1/users \
	"{\"user\":\"ola\",\"role\":\"operator\",\"password\":\"$PASSWORD too\"}" "Cookie: $ann"
expect 0 "which is recorded" 'user.create' "$HF" audit tail
log_in ola "$PASSWORD too" > /dev/null
ola=$(cookie)
expect 0 "a given password must be changed" '"password_must_change"' ask net GET /v1/arrays '' "Cookie: $ola"
expect 0 "but silence passes" '"silenced"' ask net POST /v1/silence '{}' "Cookie: $ola"
expect 0 "change it" '"changed": ?true' ask net POST /v1/password \
	"{\"old\":\"$PASSWORD too\",\"new\":\"staple gun and lamp\"}" "Cookie: $ola"
expect 0 "then all passes" '"arrays"' ask net GET /v1/arrays '' "Cookie: $ola"
expect 0 "an operator makes no users" '"role"' ask net POST /v1/users '{"user":"x","role":"user"}' "Cookie: $ola"

# --- tokens
new_token() { ask net POST /v1/tokens "$1" "Cookie: $2" | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p'; }
token=$(new_token '{"ttl_s":60}' "$ola")
expect 0 "a token works" '"proof": ?"token"' ask net GET /v1/whoami '' "Authorization: Bearer $token"
expect 0 "changed in one letter it does not" '"unauthenticated"' \
	ask net GET /v1/whoami '' "Authorization: Bearer ${token/%?/_}"
expect 0 "rotate the key" '"kid"' ask net POST /v1/keys/rotate '{}' "Cookie: $ann"
expect 0 "the token has its time" '"ola"' ask net GET /v1/whoami '' "Authorization: Bearer $token"
expect 0 "disable the user" '"disabled": ?true' ask net PATCH /v1/users/ola '{"disabled":true}' "Cookie: $ann"
expect 0 "token gone at once" '"unauthenticated"' ask net GET /v1/whoami '' "Authorization: Bearer $token"
expect 0 "session gone at once" '"unauthenticated"' ask net GET /v1/whoami '' "Cookie: $ola"
expect 0 "the last admin stays" '"last_admin"' ask net PATCH /v1/users/ann '{"role":"user"}' "Cookie: $ann"

# --- lock-out
for _ in 1 2 3 4 5 6; do log_in ann wrong > /dev/null; done
expect 0 "lock-out" '"locked_out"' log_in ann "$PASSWORD"
expect 0 "with Retry-After" '^Retry-After: [0-9]+' grep -i retry-after "$dir/head"
expect 0 "not on the host" '"session"' as_stranger POST /v1/login "{\"user\":\"ann\",\"password\":\"$PASSWORD\"}"
for _ in 1 2 3 4 5 6; do log_in stranger wrong > /dev/null; done
expect 0 "the same for who does not exist" '"locked_out"' log_in stranger wrong

# --- secrets
expect 0 "keep a secret" '"set": ?true' ask local PUT /v1/secrets/tls-key '{"value":"a-value-to-look-for"}'
expect 0 "its name is shown" '"tls-key"' ask local GET /v1/secrets
expect 1 "its value is in no file of auth" '' grep -rqa a-value-to-look-for /var/lib/holdfast
expect 0 "a new master key" '"rotated": ?true' ask local POST /v1/secrets/rotate '{}'
expect 0 "not over the network" '"network"' ask net GET /v1/secrets '' "Cookie: $ann"

# --- how often one user may ask, with whatever token and from wherever. Only from addresses of its own:
# what was used up stays so for a while.
one=$(new_token '{}' "$ann") two=$(new_token '{}' "$ann") reloads=0
per_minute() {
	sed -i "s/requests_per_minute: [0-9]*/requests_per_minute: $1/" "$ETC"
	kill -HUP "$agent_pid"
	((++reloads))
	until_true 20 in_force
}
in_force() { (($(grep -ac '"config.reload".*in force"' "$LOG") == reloads)); }
per_minute 2
ok $? "twice a minute from now on"
from=127.0.6.1
expect 0 "one request passes" '"ann"' ask net GET /v1/whoami '' "Authorization: Bearer $one"
from=127.0.6.2
expect 0 "another token of the same user, from elsewhere, has to wait" 'too many requests of this user' \
	ask net GET /v1/whoami '' "Authorization: Bearer $two"
expect 0 "as long as it takes" '^Retry-After: ([1-9]|[12][0-9]|30)[^0-9]*$' grep -i retry-after "$dir/head"
expect 0 "silence passes" '"silenced"' ask net POST /v1/silence '{}' "Authorization: Bearer $one"
from=
per_minute 100000
ok $? "as before from now on"

# --- kill -9: who was logged in still is (and has asked for nothing yet)
before=$(pid_of auth)
kill -KILL "$before"
new_auth() { local now; now=$(pid_of auth) && [[ $now && $now != "$before" ]] && agent_answers; }
until_true 20 new_auth
ok $? "a new auth process"
expect 0 "the session goes on" '"ann"' ask net GET /v1/whoami '' "Cookie: $ann"
expect 0 "secrets are there" '"tls-key"' ask local GET /v1/secrets
expect 0 "log out" '"ended": ?true' ask net POST /v1/logout '{}' "Cookie: $ann"
expect 0 "is out" '"unauthenticated"' ask net GET /v1/whoami '' "Cookie: $ann"

# --- nothing leaks
expect 1 "no password and no secret in the log" '' \
	grep -qaF -e "$PASSWORD" -e "$secret" -e "${ann#*=}" -e "$token" -e a-value-to-look-for "$LOG"
expect 1 "nor in the audit log" '' \
	grep -rqaF -e "$PASSWORD" -e "$secret" -e "${ann#*=}" -e "$token" -e a-value-to-look-for /var/lib/holdfast/audit
expect 1 "auth's memory cannot be read by its own user" '' setpriv --reuid holdfast-auth --clear-groups \
	cat "/proc/$(pid_of auth)/environ"
expect 1 "nobody broke his sandbox" '' agent_complaints
agent_stop
ok $? "stops in order"
plan
