# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Faults of all kinds at random, in simulated time. The long version, about half an hour of one processor:
# HOLDFAST_CHAOS_S=3600 tests/run -k agent-chaos

STEP_SHARED=1
STEP_TIMEOUT=7200
step_tap agent-chaos scripts/vm --kernel uml --time-travel --timeout 7000 -- tests/agent/chaos.sh
STEP_TIMEOUT=1200
