# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Completion of holdfastctl for bash. Commands and options come from the program's own help, so
# that there is no second list to keep.

_holdfastctl_words() { # help of a command: its long options
	holdfastctl "$@" --help 2> /dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

_holdfastctl_command() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-d | --device | --socket) ((i++)) ;;
		-*) ;;
		*) echo "${COMP_WORDS[i]}" && return ;;
		esac
	done
}

_holdfastctl_arguments() { # command
	case $1 in
	solve) echo focus foci twin vortex bottle ;;
	envelope) echo show set tighten seal ;;
	fence) echo list add remove ;;
	lease) echo list ;;
	esac
}

_holdfastctl_limits() {
	holdfastctl envelope show 2> /dev/null | awk '$2 == "ceiling" || $2 == "floor" { print $1 "=" }'
}

_holdfastctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command words
	command=$(_holdfastctl_command)
	case $previous in
	-d | --device) words=$(holdfastctl list 2> /dev/null | awk '{ print $1, $3 }') ;;
	-g | --group) [[ $command == events ]] && words='safety telemetry' ;;
	-o | --output | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	set | tighten)
		words=$(_holdfastctl_limits)
		compopt -o nospace
		;;
	*)
		if [[ -z $command ]]; then
			words=$(holdfastctl --help | sed -n 's/^  \([a-z-]*\) .*/\1/p')
		elif [[ $current == -* ]]; then
			words=$(_holdfastctl_words "$command")
		elif [[ $command == play ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
			return
		else
			words=$(_holdfastctl_arguments "$command")
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _holdfastctl holdfastctl
