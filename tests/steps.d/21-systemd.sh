# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What is packaged for systemd: read without complaint, and no unit more exposed than the bar allows.

UNIT_THRESHOLD=15	# tenths, as systemd-analyze takes them

unit_copies() { # a folder with the units as they would be installed, their program being one that exists
	local dir=build/check/units unit
	rm -rf "$dir" && mkdir -p "$dir"
	for unit in scripts/packaging/systemd/*.service; do
		sed 's|^Exec\([A-Z][a-z]*\)=/usr/local/sbin/.*|Exec\1=/bin/true|' "$unit" > "$dir/${unit##*/}"
	done
	echo "$PWD/$dir"
}

unit_verify() {
	local dir out
	dir=$(unit_copies)
	out=$(SYSTEMD_UNIT_PATH="$dir:" systemd-analyze verify --man=no "$dir"/*.service 2>&1) ||
		{ echo "$out"; return 1; }
	# verify only warns of a line that it does not know, and a misspelt protection protects nobody
	! grep -F "holdfast" <<< "$out"
}

unit_security() { # unit
	systemd-analyze security --offline=true --threshold=$UNIT_THRESHOLD "$(unit_copies)/$1"
}

unit_users() {
	systemd-sysusers --dry-run "$PWD/scripts/packaging/sysusers.d/holdfast.conf" 2>&1 | tee build/check/sysusers.txt
	! grep -iE 'fail|bad|invalid|ignoring' build/check/sysusers.txt
}

step_cmd systemd-verify unit_verify
for unit in scripts/packaging/systemd/*.service; do
	step_cmd "systemd-security-$(basename "${unit/@/}" .service)" unit_security "${unit##*/}"
done
step_cmd systemd-users unit_users
