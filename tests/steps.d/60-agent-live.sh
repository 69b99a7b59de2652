# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The whole agent in a booted kernel with a simulated array: who may what, what survives a kill, what
# still works when something does not; and the client against an agent that is played.
# The long version of the kills: HOLDFAST_KILLS=1000 tests/run -k agent-kills (on an idle machine).

agent_live() { scripts/vm --kernel uml --timeout "$STEP_GUEST" -- "$@"; }
agent_matrix() { STEP_GUEST=600 agent_live tests/agent/matrix.sh; }
agent_metrics() { STEP_GUEST=200 agent_live tests/agent/metrics.sh; }
agent_degrade() { STEP_GUEST=200 agent_live tests/agent/degrade.sh; }
agent_kills() { STEP_GUEST=7000 agent_live tests/agent/kills.sh; }

STEP_SHARED=1
step_tap ctl-client python3 tests/agent/ctl_client.py
STEP_TIMEOUT=700
step_tap agent-matrix agent_matrix
step_tap agent-metrics agent_metrics
STEP_SHARED=
step_tap agent-degrade agent_degrade
STEP_TIMEOUT=7200
step_tap agent-kills agent_kills
STEP_TIMEOUT=1200
