# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The eBPF tools where they are meant for, and in a kernel without BPF. With sanitizers on one of the two
# (their unit tests are in 26-agent.sh).

bpf_tools() { # kernel tools [brief]
	scripts/vm --kernel "$1" --timeout 300 --strict -- \
		env HF_BPF_TOOLS="$2" python3 tests/vm/bpf-tools.py "${@:3}"
}

bpf_none() { scripts/vm --kernel uml --timeout 60 --strict -- python3 tests/vm/bpf-tools.py none; }

STEP_SHARED=
step_tap bpf-tools-host env HF_BPF_TOOLS=build/agent/san python3 tests/vm/bpf-tools.py host
step_tap bpf-tools-6.12 bpf_tools 6.12 build/agent/san
step_tap bpf-tools-6.1 bpf_tools 6.1 build/agent brief
step_tap bpf-tools-none bpf_none
