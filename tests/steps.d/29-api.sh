# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The HTTP interface: its documents, and both processes from outside: with sanitizers here, and in
# their sandbox in a guest. The runbooks name commands and metrics: are they there?
step_cmd api-docs scripts/gen-api-docs --check
step_tap runbooks python3 tests/agent/runbooks.py
step_tap http-live-asan tests/agent/http-live.sh asan
step_tap http-live-uml scripts/vm --kernel uml --strict --timeout 600 -- tests/agent/http-live.sh sandbox
