# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The agent in a container, and what its image has to have in it.

# The libraries that a program itself names, as files.
needed() {
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		awk 'NR == FNR { wanted[$1] = 1; next } $1 in wanted { print $3 }' - <(ldd "$1") | xargs readlink -f
}

# They are of the packages that the image gets.
container_image() {
	local file=scripts/packaging/container/Containerfile lib package missing='' n=0
	while read -r lib; do
		n=$((n + 1))
		# One of the two names is unknown to it, and that is an error of its own.
		package=$({ dpkg -S "$lib" "${lib#/usr}" 2> /dev/null || true; } | cut -d: -f1)
		[[ $package == libc6 ]] || grep -qE "[[:space:]]$package( |$)" $file || missing+=" $package ($lib)"
	done < <(for program in holdfastd holdfastctl holdfast-audit-verify; do
		needed "build/agent/$program"
	done | sort -u)
	echo "$n libraries; not in $file:$missing"
	[[ $n -gt 10 && -z $missing ]]
}

STEP_SHARED=1
step_cmd container-image container_image
step_tap agent-container scripts/vm --kernel uml --timeout 600 --strict -- tests/agent/container.sh
