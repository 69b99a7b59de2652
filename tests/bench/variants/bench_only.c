// SPDX-License-Identifier: GPL-2.0
/*
 * Bench only: these modules take simulated arrays and nothing else, and say what they
 * are. registry.c has its own registration under another name here.
 */
#include <linux/module.h>

#include "core.h"

struct hf_array *hf_array_register_any(struct device *parent, const struct hf_array_desc *desc);

struct hf_array *holdfast_array_register(struct device *parent, const struct hf_array_desc *desc)
{
	if (!(desc->flags & HF_HW_SIMULATED)) {
		pr_err("bench only: %s: hardware is not supervised here\n",
		       desc->model);
		return ERR_PTR(-EPERM);
	}
	pr_warn("bench only: %s is not supervised as it should be\n", desc->serial);
	return hf_array_register_any(parent, desc);
}
EXPORT_SYMBOL_GPL(holdfast_array_register);
