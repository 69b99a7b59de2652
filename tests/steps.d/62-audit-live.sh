# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The audit log of the running agent: under load, on a full disk, tampered with, rolled back.

audit_live() { scripts/vm --kernel uml --timeout 800 -- tests/agent/audit-live.sh "$1"; }
audit_live_uring() { audit_live uring; }
audit_live_portable() { audit_live portable; }

STEP_SHARED=1
step_tap audit-live-uring audit_live_uring
step_tap audit-live-portable audit_live_portable
