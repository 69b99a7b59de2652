# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The audit log of the running agent: under load, on a full disk, tampered with, rolled back; and the power of
# the whole guest cut while its disk loses what was not flushed (HOLDFAST_CUTS=50: about an hour).

audit_live() { scripts/vm --kernel uml --timeout 800 -- tests/agent/audit-live.sh "$1"; }
audit_live_uring() { audit_live uring; }
audit_live_portable() { audit_live portable; }

STEP_SHARED=1
step_tap audit-live-uring audit_live_uring
step_tap audit-live-portable audit_live_portable
STEP_TIMEOUT=$((300 * (${HOLDFAST_CUTS:-5} + 2)))
step_tap audit-powercut tests/agent/powercut.sh
STEP_TIMEOUT=1200
