# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# Configuration, secret store, backup archives: unit tests, the generated documents, and the JSON
# Schema against the reader on the same cases. The unit tests are run with the agent's others.

# What is generated must be what is in the tree.
config_docs() {
	local ctl=build/agent/holdfastctl
	diff -u docs/holdfast.schema.json <("$ctl" config schema)
	diff -u docs/man/holdfast.yaml.5 <("$ctl" config man)
	diff -u docs/configuration.md <("$ctl" config doc)
	"$ctl" config check scripts/packaging/holdfast.yaml
}

config_schema() {
	local corpus=build/check/config-corpus.jsonl
	mkdir -p build/check
	HF_CONFIG_CORPUS=$corpus build/agent/tests/test_common_config_keys \
		--filter '*/every_key_accepts_and_refuses' >&2
	tests/agent/config-schema.py docs/holdfast.schema.json scripts/packaging/holdfast.yaml "$corpus"
}

step_cmd config-docs config_docs
step_cmd config-schema config_schema
STEP_SHARED=1
step_tap agent-attach scripts/vm --kernel uml --timeout 600 --strict -- tests/agent/attach.sh
step_tap agent-units scripts/vm --kernel uml --mem 1200 --timeout 600 --strict -- tests/agent/units.sh
step_tap backup-drill scripts/vm --kernel uml --timeout 400 --strict -- tests/agent/backup-drill.sh
