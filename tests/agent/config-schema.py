#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The generated JSON Schema must say yes and no where the reader does.

config-schema.py SCHEMA EXAMPLE CORPUS: CORPUS has lines {"accept": bool, "doc": {...}}, each
already judged by the reader in C (tests/agent/test_common_config_keys.c).
"""
import json
import sys

import jsonschema
import yaml


def main(schema_file, example, corpus):
    with open(schema_file, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    with open(example, encoding="utf-8") as f:
        validator.validate(yaml.safe_load(f))
    yes = no = wrong = 0
    with open(corpus, encoding="utf-8") as f:
        for line in f:
            case = json.loads(line)
            if validator.is_valid(case["doc"]) != case["accept"]:
                print("the reader says", case["accept"], "and the schema does not:", line.strip())
                wrong += 1
            yes += case["accept"]
            no += not case["accept"]
    print(f"{yes} accepted and {no} refused by both" if not wrong else f"{wrong} differ")
    return 1 if wrong or yes < 200 or no < 400 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
