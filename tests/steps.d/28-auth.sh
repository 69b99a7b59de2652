# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The auth process in its sandbox in a booted kernel; its unit tests are in 26-agent.sh.
STEP_SHARED=1
step_tap agent-auth-uml scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/auth-live.sh
