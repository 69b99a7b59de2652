# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Three agents, each on a wire of its own, and a real nats-server -js: partitions, kills, stops, holdfastctl fleet.

agent_fleet() { scripts/vm --kernel uml --mem 1200 --timeout 1700 -- tests/agent/fleet.sh; }

STEP_SHARED=1
STEP_TIMEOUT=1800
step_tap agent-fleet agent_fleet
STEP_TIMEOUT=1200
