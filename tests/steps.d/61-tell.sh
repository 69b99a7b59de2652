# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What the running agent tells others: rules with a real Prometheus, incidents with a real Alertmanager.

agent_alerts() { scripts/vm --kernel uml --mem 1200 --timeout 900 -- tests/agent/alerts.sh; }
agent_incidents() { scripts/vm --kernel uml --mem 1200 --timeout 900 -- tests/agent/incidents.sh; }

STEP_SHARED=half
step_tap agent-alerts agent_alerts
step_tap agent-incidents agent_incidents
