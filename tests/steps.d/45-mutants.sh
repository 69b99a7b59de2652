# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The same test with one check of the driver taken out must fail; every check, one at a time.

step_tap mutants tests/mutants/run
