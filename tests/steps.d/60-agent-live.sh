# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The whole agent in a booted kernel with a simulated array: who may what, what it says of itself; and
# the client against an agent that is played. What looks at clocks is in 66-agent-alone.sh.

agent_live() { scripts/vm --kernel uml --timeout "$STEP_GUEST" -- "$@"; }
agent_matrix() { STEP_GUEST=600 agent_live tests/agent/matrix.sh; }
agent_metrics() { STEP_GUEST=600 agent_live tests/agent/metrics.sh; }
agent_health() { STEP_GUEST=1500 agent_live tests/agent/health.sh; }
agent_incidents() { scripts/vm --kernel uml --mem 1200 --timeout 900 -- tests/agent/incidents.sh; }
agent_alerts() { scripts/vm --kernel uml --mem 1200 --timeout 900 -- tests/agent/alerts.sh; }

STEP_SHARED=1
step_tap ctl-client python3 tests/agent/ctl_client.py
step_tap agent-matrix agent_matrix
step_tap agent-metrics agent_metrics
step_tap agent-alerts agent_alerts
step_tap agent-incidents agent_incidents
STEP_TIMEOUT=1600
step_tap agent-health agent_health
STEP_TIMEOUT=1200
