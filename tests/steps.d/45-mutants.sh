# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The same test with one check of the driver taken out must fail. A part of the mutants, another one
# each day; all of them: tests/mutants/run --all.

step_tap mutants tests/mutants/run
