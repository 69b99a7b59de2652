# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# One request, one change, one attack, one lease: each followed through the whole running agent, from
# who asked to the kernel, the outputs and the audit log.

agent_through() { scripts/vm --kernel uml --timeout 800 -- tests/agent/through.sh; }

STEP_SHARED=1
step_tap agent-through agent_through
