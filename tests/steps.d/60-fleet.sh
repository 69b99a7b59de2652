# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Three agents, each on a wire of its own, and a real nats-server -js: a partition, stops, holdfastctl fleet, MQTT. HOLDFAST_FLEET=all
# (eleven minutes) also has a wire that flaps, copies that come late, kills and a restart, which agent-chaos has for one agent each time.

agent_fleet() {
	HOLDFAST_FLEET=${HOLDFAST_FLEET:-strangers first partition stops command mqtt} \
		scripts/vm --kernel uml --mem 1200 --timeout 1700 -- tests/agent/fleet.sh
}

STEP_SHARED=1
STEP_TIMEOUT=1800
step_tap agent-fleet agent_fleet
STEP_TIMEOUT=1200
