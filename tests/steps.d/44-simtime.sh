# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Days of dose, heat, emission and rest, in simulated time.

STEP_SHARED=1
step_tap simtime scripts/vm --kernel uml --time-travel --strict --timeout 900 -- build/tests/vm/simtime
# Means at a surface of 4096 points, ditto.
step_tap surface scripts/vm --kernel uml --time-travel --strict --timeout 300 -- build/tests/vm/surface
