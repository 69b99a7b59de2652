// SPDX-License-Identifier: GPL-2.0
/*
 * Bench only: the module without checks takes simulated arrays and nothing else, and
 * says what it is. registry.c has its own registration under another name here.
 */
#include <linux/module.h>

#include "core.h"

struct hf_array *hf_array_register_any(struct device *parent, const struct hf_array_desc *desc);

struct hf_array *holdfast_array_register(struct device *parent, const struct hf_array_desc *desc)
{
	if (!(desc->flags & HF_HW_SIMULATED)) {
		pr_err("holdfast_bench_only: %s: no hardware here, nothing is checked\n",
		       desc->model);
		return ERR_PTR(-EPERM);
	}
	pr_warn("holdfast_bench_only: %s: bench only, nothing is checked\n", desc->serial);
	return hf_array_register_any(parent, desc);
}
EXPORT_SYMBOL_GPL(holdfast_array_register);
