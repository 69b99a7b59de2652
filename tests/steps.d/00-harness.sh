# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The harness itself: the driver of these steps, and the virtual machines.

step_tap run-selftest tests/unit/run-selftest.sh
step_tap vm-selftest tests/unit/vm-selftest.sh
