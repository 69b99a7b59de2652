# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What monitors and udev make of an array, with the programs that people have.

step_tap udev-6.12 scripts/vm --kernel 6.12 --strict --timeout 300 -- tests/vm/udev.sh
for kernel in 6.1 6.12; do
	step_tap "hwmon-$kernel" scripts/vm --kernel "$kernel" --strict --timeout 300 -- \
		tests/vm/hwmon.py
done
