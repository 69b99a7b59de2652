# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is packaged for systemd: read without complaint, and no more exposed than it has to be.

# The most that the capabilities which pass through the parent leave (docs/decisions/0013).
UNIT_THRESHOLD=33

unit_copy() { # a folder with the unit as it would be installed, its program being one that exists
	local dir=build/check/units
	rm -rf "$dir" && mkdir -p "$dir"
	sed 's|^ExecStart=.*|ExecStart=/bin/true|' scripts/packaging/systemd/holdfastd.service \
		> "$dir/holdfastd.service"
	echo "$dir/holdfastd.service"
}

unit_verify() {
	local unit out
	unit=$(unit_copy)
	out=$(systemd-analyze verify --man=no "$PWD/$unit" 2>&1) || { echo "$out"; return 1; }
	# verify only warns of a line that it does not know, and a misspelt protection protects nobody
	! grep -F "holdfastd.service" <<< "$out"
}

unit_security() {
	local unit
	unit=$(unit_copy)
	systemd-analyze security --offline=true --threshold=$UNIT_THRESHOLD "$PWD/$unit"
}

unit_users() {
	systemd-sysusers --dry-run "$PWD/scripts/packaging/sysusers.d/holdfast.conf" 2>&1 | tee build/check/sysusers.txt
	! grep -iE 'fail|bad|invalid|ignoring' build/check/sysusers.txt
}

step_cmd systemd-verify unit_verify
step_cmd systemd-security unit_security
step_cmd systemd-users unit_users
