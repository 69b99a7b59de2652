# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The client library (Criterion, ASan and UBSan) and the command line: alone, and in booted kernels.
# Named after the sources, so that a program that was not built is a failure, not a gap.
for source in tests/lib/test_*.c; do
	name=${source##*/test_}
	step_criterion "lib-${name%.c}" "build/${source%.c}"
done
step_tap cli tests/lib/cli.sh

# Without sanitizers: they can make a keeper miss its beat where the processor is emulated.
cli_live() { scripts/vm --kernel "$1" --timeout 600 --strict -- tests/lib/live.sh; }
step_tap cli-live-uml cli_live uml
step_tap cli-live-6.12 cli_live 6.12

# The player by each of its ways: the newest kernel, and the oldest one.
for kernel in uml 6.1; do
	step_tap "player-$kernel" scripts/vm --kernel "$kernel" --strict --timeout 300 -- \
		build/tests/lib/player
done
