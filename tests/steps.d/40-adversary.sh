# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Attackers, tightening, revoked leases and killed keepers against the judge of the ledger: a
# million frames in User-mode Linux, fewer under emulation. HOLDFAST_SEED repeats a run as far as
# scheduling allows; the seed of each is printed.

# Attackers that never rest need more time than the guest's own deadline leaves on a busy machine.
adversary() { # kernel frames
	scripts/vm --kernel "$1" --strict --timeout "$((${STEP_TIMEOUT:-1200} - 20))" -- \
		build/tests/vm/adversary --frames "$2" ${HOLDFAST_SEED:+--seed "$HOLDFAST_SEED"}
}

step_tap adversary-uml adversary uml 1000000
for kernel in 6.1 6.12; do
	step_tap "adversary-$kernel" adversary "$kernel" 20000
done
