#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Runs in a guest as root: users and folders as the packages make them, then keeper_live. Prints TAP.
set -uo pipefail

systemd-sysusers "$PWD/scripts/packaging/sysusers.d/holdfast.conf" > /dev/null ||
	{ echo "Bail out! no users"; exit 1; }
install -d -m 755 /run/holdfast /var/lib/holdfast
install -d -m 700 -o holdfast-keeper -g holdfast-keeper /var/lib/holdfast/keeper
exec "${KEEPER_LIVE:-build/agent/tests/keeper_live}"
