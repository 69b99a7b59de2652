# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# TAP for the scripts beside it: commands with their exit status and output. Sourced.

tests=0 failures=0

ok() { # status name
	tests=$((tests + 1))
	if [[ $1 == 0 ]]; then echo "ok $tests - $2"; return; fi
	failures=$((failures + 1))
	echo "not ok $tests - $2"
}

# expect STATUS NAME PATTERN CMD…: exit status, and what stdout and stderr together must match
expect() {
	local want=$1 name=$2 pattern=$3 got out
	shift 3
	out=$("$@" 2>&1)
	got=$?
	if [[ $got == "$want" ]] && { [[ -z $pattern ]] || grep -qE -e "$pattern" <<< "$out"; }; then
		ok 0 "$name"
	else
		ok 1 "$name"
		echo "# $*: status $got where $want, /$pattern/"
		echo "# ${out//$'\n'/$'\n'# }"
	fi
}

# check NAME CMD…: in this shell; what it prints is shown if it fails
check() {
	local name=$1 status=0 out=${VM_OUT:-/tmp}/check.out
	shift
	"$@" > "$out" 2>&1 || status=$?
	ok $status "$name"
	[[ $status == 0 ]] || sed 's/^/# /' "$out"
}
refused() { ! "$@"; }
says() { # PATTERN CMD…
	local pattern=$1
	shift
	"$@" 2>&1 | grep -qE "$pattern" || { "$@" 2>&1 | tail -5; return 1; }
}

# Where something failed, the log of what was tried ($LOG) has the reason and goes with the guest.
plan() {
	[[ $failures == 0 || ! -r ${LOG-} ]] || tail -n 150 "$LOG" | sed 's/^/# log: /'
	echo "1..$tests"
}
