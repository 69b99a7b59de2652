# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# The published corpus of hostile and benign inputs (tests/agent/corpus) against the running agent, its command line and
# the driver; the command line again with sanitizers. docs/security.md has what came out of it
# (66-agent-alone.sh compares).

# What the unit test of the reader has made is a part of the corpus; in the guest it is only read.
corpus_config() {
	mkdir -p build/check
	rm -f build/check/config-hostile.jsonl
	HF_CONFIG_CORPUS=build/check/config-corpus.jsonl HF_CONFIG_HOSTILE=build/check/config-hostile.jsonl \
		build/agent/tests/test_common_config_keys >&2
}
corpus_live() {
	corpus_config
	scripts/vm --kernel uml --strict --timeout 2000 -- tests/agent/corpus.sh
	cp "${VM_OUT:-build/vm-out}/security.json" build/security.json
}

STEP_SHARED=1 STEP_TIMEOUT=2100
step_tap corpus corpus_live
STEP_TIMEOUT=1200
step_tap corpus-cli-asan tests/agent/corpus_asan.py
