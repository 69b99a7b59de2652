#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Tests tests/run itself, in TAP: what is wrong in a step must come out as a failure.
set -euo pipefail

run=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/run
dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-run.XXXXXX")
trap 'rm -rf "$dir"' EXIT
count=0

# expect NAME STATUS LAST-LINE < step file
expect() {
	local name=$1 want_status=$2 want_line=$3 status=0 line
	count=$((count + 1))
	mkdir "$dir/$count"
	cat > "$dir/$count/10-x.sh"
	"$run" --steps "$dir/$count" --logs "$dir/$count/logs" > "$dir/out" 2>&1 || status=$?
	line=$(tail -n 1 "$dir/out")
	if [[ $status == "$want_status" && $line == "$want_line" ]]; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# wanted '$want_line' and status $want_status, got '$line' and $status"
		sed 's/^/# /' "$dir/out"
	fi
}

expect "commands pass and fail" 1 "1 passed, 1 failed" <<'END'
step_cmd good true
step_cmd bad false
END
expect "all passed" 0 "3 passed, 0 failed" <<'END'
t() { echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"; }
step_tap t t
step_cmd c true
END
expect "a failing result" 1 "1 passed, 1 failed" <<'END'
t() { echo 1..2; echo "ok 1"; echo "not ok 2"; }
step_tap t t
END
expect "a skip is said, not counted as passed" 0 "1 passed, 0 failed, 1 skipped" <<'END'
t() { echo 1..2; echo "ok 1"; echo "ok 2 - x # SKIP no hardware"; }
step_tap t t
END
expect "a crash after good results" 1 "2 passed, 1 failed" <<'END'
t() { echo 1..2; echo "ok 1"; echo "ok 2"; kill -SEGV $BASHPID; }
step_tap t t
END
expect "fewer results than planned" 1 "1 passed, 1 failed" <<'END'
t() { echo 1..2; echo "ok 1"; }
step_tap t t
END
expect "more results than planned" 1 "2 passed, 1 failed" <<'END'
t() { echo 1..1; echo "ok 1"; echo "ok 2"; }
step_tap t t
END
expect "no plan" 1 "1 passed, 1 failed" <<'END'
t() { echo "ok 1"; }
step_tap t t
END
expect "a result missing in between" 1 "2 passed, 1 failed" <<'END'
t() { echo 1..2; echo "ok 1"; echo "ok 3"; }
step_tap t t
END
expect "no output at all" 1 "0 passed, 1 failed" <<'END'
step_tap t true
END
expect "bail out" 1 "1 passed, 1 failed" <<'END'
t() { echo 1..1; echo "ok 1"; echo "Bail out! it burns"; }
step_tap t t
END
expect "a missing program" 1 "0 passed, 2 failed" <<'END'
step_tap t ./no-such-program
step_criterion c ./no-such-program
END
expect "a step that does not end" 1 "0 passed, 1 failed" <<'END'
STEP_TIMEOUT=1
step_cmd t sleep 60
END
expect "nested KTAP counts its leaves" 1 "2 passed, 1 failed" <<'END'
t() {
	echo KTAP version 1; echo 1..2
	echo "    KTAP version 1"; echo "    1..2"; echo "    ok 1 a"; echo "    not ok 2 b"
	echo "not ok 1 suite"; echo "ok 2 other"
}
step_tap t t
END
expect "nested KTAP that breaks off" 1 "2 passed, 1 failed" <<'END'
t() { echo 1..2; echo "    1..2"; echo "    ok 1 a"; echo "ok 1 suite"; echo "ok 2 other"; }
step_tap t t
END
expect "an unplanned failure of the sum alone" 1 "1 passed, 1 failed" <<'END'
t() { echo 1..1; echo "    1..1"; echo "    ok 1 a"; echo "not ok 1 suite"; }
step_tap t t
END
expect "a skipped step" 0 "1 passed, 0 failed, 1 skipped" <<'END'
step_cmd c true
step_skip s "no such device here"
END
expect "no steps" 1 "0 passed, 1 failed" < /dev/null
expect "functions stop at their first failing command" 1 "0 passed, 1 failed" <<'END'
f() { false; true; }
step_cmd f f
END
expect "shared steps run side by side, another one alone" 0 "4 passed, 0 failed" <<'END'
here=$(dirname "${BASH_SOURCE[0]}")
busy() { # own other
	touch "$here/$1.busy"
	# with one processor there is nobody to meet
	for _ in $(seq 100); do
		[[ $(nproc) -gt 1 && ! -e $here/$2.met ]] || break
		[[ ! -e $here/$2.busy ]] || { touch "$here/$1.met"; sleep 0.2; break; }
		sleep 0.1
	done
	rm "$here/$1.busy"
	[[ $(nproc) == 1 || -e $here/$1.met || -e $here/$2.met ]]
}
alone() { sleep 0.3; ! compgen -G "$here/*.busy"; }
step_cmd first alone
STEP_SHARED=1
step_cmd a busy a b
step_cmd b busy b a
STEP_SHARED=
step_cmd last alone
END
expect "a step that takes its runner with it" 1 "1 passed, 1 failed" <<'END'
kill_runner() { kill -KILL "$(ps -o ppid= -p $PPID)"; }
STEP_SHARED=1
step_cmd bad kill_runner
step_cmd good true
END

echo "1..$count"
