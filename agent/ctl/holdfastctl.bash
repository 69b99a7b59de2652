# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Completion of holdfastctl for bash. Commands, options and words come from the program's own help,
# so that there is no second list to keep.

_holdfastctl_words() { # command: its long options
	holdfastctl "$@" --help 2> /dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

_holdfastctl_command() { # the words of the line that are no options: command, subcommand
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --device | --socket | --agent | --ca) ((i++)) ;;
		-*) ;;
		*) echo "${COMP_WORDS[i]}" ;;
		esac
	done
}

# Subcommands, or the words that the usage line begins its alternatives with: "show | set NAME".
_holdfastctl_arguments() { # command
	holdfastctl "$@" --help 2> /dev/null | awk '
		NR == 1 {
			sub(/.*\[OPTION\.\.\.\] */, "")
			gsub(/\|/, " | ")
			word = 1
			for (i = 1; i <= NF; i++) {
				if ($i == "|") word = 1
				else if (word) { if ($i ~ /^[a-z][a-z-]*$/) print $i; word = 0 }
			}
		}
		/^  [a-z][a-z-]* / { print $1 }'
}

_holdfastctl_limits() {
	holdfastctl envelope show 2> /dev/null | awk '$2 == "ceiling" || $2 == "floor" { print $1 "=" }'
}

# Values of an option that has a choice: "--role user|operator".
_holdfastctl_choice() { # option command…
	local option=$1
	shift
	holdfastctl "$@" --help 2> /dev/null |
		awk -v o="$option" '$1 == o && $2 ~ /\|/ { gsub(/\|/, " ", $2); print $2 }'
}

_holdfastctl_files() {
	mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

_holdfastctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command words
	mapfile -t command < <(_holdfastctl_command)
	case $previous in
	-d | --device) words=$(holdfastctl list 2> /dev/null | awk '{ print $1, $3 }') ;;
	-g | --group) [[ ${command[0]} == events ]] && words='safety telemetry' ;;
	-o | --output | --socket | --agent | --ca | --*-file) _holdfastctl_files && return ;;
	set | tighten)
		if [[ ${command[0]} == envelope ]]; then
			words=$(_holdfastctl_limits)
			compopt -o nospace
		fi
		;;
	*)
		if [[ ${#command[@]} == 0 ]]; then
			words=$(holdfastctl --help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
		elif [[ $current == -* ]]; then
			words=$(_holdfastctl_words "${command[@]}")
		elif [[ $previous == --* ]]; then
			words=$(_holdfastctl_choice "$previous" "${command[@]}")
		elif [[ ${command[0]} == play ]]; then
			_holdfastctl_files
			return
		elif [[ ${#command[@]} == 1 ]]; then
			words=$(_holdfastctl_arguments "${command[0]}")
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _holdfastctl holdfastctl
