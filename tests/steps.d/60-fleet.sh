# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Three agents, each on a wire of its own, and a real nats-server -js: a partition, copies that come late, stops, holdfastctl fleet, MQTT.
# HOLDFAST_FLEET=all (eleven minutes) also has a wire that flaps, kills and a restart, of which agent-chaos has many with one agent each time.

agent_fleet() {
	HOLDFAST_FLEET=${HOLDFAST_FLEET:-strangers first partition late stops command mqtt} \
		scripts/vm --kernel uml --mem 1200 --timeout 1700 -- tests/agent/fleet.sh
}

STEP_SHARED=1
STEP_TIMEOUT=1800
step_tap agent-fleet agent_fleet
STEP_TIMEOUT=1200
