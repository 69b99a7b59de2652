# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# checkpatch over the kernel code and shellcheck over the scripts.

checkpatch() {
	local tools=${HOLDFAST_CACHE:-/var/cache/holdfast}/linux-6.12-tools/scripts
	local out=build/check/checkpatch.txt files excepted
	mkdir -p build/check
	mapfile -t files < <(find kmod uapi -name '*.[ch]' | sort)
	# Its exit status only says that there are findings; which ones they are counts.  A bad file
	# at the end, with something to find, shows that it has read them all.
	printf 'int x ;\n' > build/check/control.c
	perl "$tools/checkpatch.pl" --strict --no-tree --no-summary --terse --show-types \
		--max-line-length=100 -f "${files[@]}" build/check/control.c > "$out" || true
	grep -q '^build/check/control.c:1: ' "$out" ||
		{ tail -n 3 "$out"; echo "checkpatch did not come to its end"; return 1; }
	excepted=$(awk '/^[A-Z]/ { print "^(" $2 "):[0-9]+: [A-Z]+:" $1 ":" }' scripts/checkpatch.conf)
	EXCEPTED="^build/check/control|${excepted//$'\n'/|}" awk '$0 !~ ENVIRON["EXCEPTED"] { print; bad = 1 } END { exit bad }' \
		"$out"
}

shell_scripts() {
	{
		git ls-files -co --exclude-standard 2> /dev/null || find . -type f -not -path './build/*'
	} | while IFS= read -r path; do
		case $(head -c 64 "$path" 2> /dev/null | head -n 1 | tr -d '\0') in
		'#!'*busybox*) ;;
		'#!'*sh) printf '%s\0' "$path" ;;
		esac
	done
}

shellcheck_all() { shell_scripts | xargs -0 shellcheck -x -S warning; }

STEP_SHARED=1
step_cmd checkpatch checkpatch
step_cmd shellcheck shellcheck_all
