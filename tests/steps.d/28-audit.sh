# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The audit log from outside: the real verifier beside a second judge written from the description of
# the format alone. (The unit tests of the writer and the verifier are steps of 26-agent.sh.)
STEP_SHARED=1
step_tap agent-audit-judges tests/agent/audit-verify.sh
