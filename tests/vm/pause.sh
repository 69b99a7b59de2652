#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Stops a guest while an array in it emits, and lets it go on: the only way to make the governor's
# own tick late. Usage: pause.sh KERNEL, a stock one (User-mode Linux does not bear being stopped).
# The guest prints TAP.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT

descendants() { # pid
	local child
	for child in $(pgrep -P "$1"); do
		echo "$child"
		descendants "$child"
	done
}

scripts/vm --kernel "$1" --timeout 120 -- build/tests/vm/trips --paused > "$out" &
vm=$!
for ((i = 0; i < 600; i++)); do
	grep -q '^# ready' "$out" && break
	sleep 0.1
done
sleep 0.3
# only the machine itself: its readers and its clock go on
mapfile -t guest < <(descendants $vm | while read -r pid; do
	case $(tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null) in
	qemu-system*) echo "$pid" ;;
	esac
done)
[[ ${#guest[@]} -eq 0 ]] || kill -STOP "${guest[@]}"
sleep 1.5
[[ ${#guest[@]} -eq 0 ]] || kill -CONT "${guest[@]}"
status=0
wait $vm || status=$?
cat "$out"
exit $status
