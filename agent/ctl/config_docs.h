/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Documents made from the configuration's table, so that they cannot say
 * anything else than the code does.
 */
#ifndef HF_CTL_CONFIG_DOCS_H
#define HF_CTL_CONFIG_DOCS_H

#include <stdio.h>
#include <jansson.h>

/* JSON Schema, draft 2020-12: everything but the rules between keys. NULL: out of memory. */
json_t *ctl_config_schema(void);
void ctl_config_man(FILE *f);		/* holdfast.yaml(5) */
void ctl_config_markdown(FILE *f);	/* docs/configuration.md */

#endif /* HF_CTL_CONFIG_DOCS_H */
