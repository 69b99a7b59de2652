#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The HTTP processes from outside (http-live.py).
#   http-live.sh asan      with sanitizers, without sandbox, in a network namespace of their own
#   http-live.sh sandbox   as they are shipped, in their sandbox; for guests (makes users, adds addresses)
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ $1 == asan && ${2-} != inside ]]; then
	exec unshare --net -- "$0" "$1" inside
fi
ip link set lo up
for n in {1..40}; do
	ip address add "192.0.2.$n/32" dev lo
done
if [[ $1 == sandbox ]]; then
	for user in holdfast-front holdfast-local; do
		id "$user" > /dev/null 2>&1 || useradd --system --user-group --no-create-home "$user"
	done
	exec tests/agent/http-live.py build/agent/bench/http_stage sandbox
fi
export ASAN_OPTIONS=detect_leaks=1
exec tests/agent/http-live.py build/agent/tests/http_stage
