# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The agent: unit tests (Criterion, ASan and UBSan), then its processes in a booted kernel.
# Named after the sources, so that a program that was not built is a failure, not a gap.

# Criterion passes a test that leaks; a sanitizer's report in the folder is a failure all the same.
# Tests are its children: what the runner itself forgets (libcriterion, now and then) is not ours, and
# its exit status then says nothing; what failed is in the TAP.
agent_test() { # program arguments...
	local reports runner own status=0
	reports=$(mktemp -d)
	ASAN_OPTIONS=log_path=$reports/san UBSAN_OPTIONS=log_path=$reports/san:print_stacktrace=1 \
		"$@" &
	runner=$!
	wait $runner || status=$?
	own=$reports/san.$runner
	if [[ -e $own ]] && ! grep -qE ' in .*(agent|tests)/' "$own"; then
		rm "$own"
		status=0
	fi
	cat "$reports"/* 2> /dev/null && status=99
	rm -rf "$reports"
	return $status
}

STEP_SHARED=1
for source in tests/agent/test_*.c; do
	name=${source##*/test_}
	step_criterion "agent-${name%.c}" agent_test "build/agent/tests/test_${name%.c}"
done

step_tap agent-sandbox scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/sandbox.sh
step_tap agent-daemon scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/daemon.sh
STEP_SHARED=
step_tap agent-keeper-live scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/keeper-live.sh
step_tap agent-keeper-real scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/keeper-real.sh
