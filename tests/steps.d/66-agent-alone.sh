# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The running agent where time is looked at, so nothing else runs: what survives a kill, what still works
# when something does not, and the power of the whole guest cut while its disk loses what was not flushed.
# The long versions: HOLDFAST_KILLS=1000 tests/run -k agent-kills, HOLDFAST_CUTS=50 tests/run -k
# audit-powercut (about an hour), HOLDFAST_TAKEOVERS=100 tests/run -k agent-standby (eight minutes), all on
# an idle machine.

agent_degrade() { scripts/vm --kernel uml --timeout 600 -- tests/agent/degrade.sh; }
agent_standby() { scripts/vm --kernel uml --timeout 3500 -- tests/agent/standby.sh; }
agent_kills() { scripts/vm --kernel uml --timeout 7000 -- tests/agent/kills.sh; }

STEP_SHARED=
step_cmd security-docs scripts/gen-security-docs --check
step_tap agent-degrade agent_degrade
STEP_TIMEOUT=3600
step_tap agent-standby agent_standby
STEP_TIMEOUT=7200
step_tap agent-kills agent_kills
STEP_TIMEOUT=$((300 * (${HOLDFAST_CUTS:-5} + 2)))
step_tap audit-powercut tests/agent/powercut.sh
STEP_TIMEOUT=1200
