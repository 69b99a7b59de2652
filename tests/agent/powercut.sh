#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Cuts the power of guests under load: powercut.py. HOLDFAST_CUTS (default 5) and HOLDFAST_SEED choose
# how often and when. Prints TAP.
set -uo pipefail
exec python3 "${0%/*}/powercut.py" "${HOLDFAST_CUTS:-5}" "${HOLDFAST_SEED:-1}"
