/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits of the site and the seal. Both need CAP_SYS_ADMIN, unless the limits
 * are tighter and the keeper asks.
 */
#ifndef HF_KEEPER_SITE_H
#define HF_KEEPER_SITE_H

#include <stdbool.h>
#include <jansson.h>

#include "device.h"
#include "err.h"
#include "settings.h"

struct hf_array;

/* @fresh: not kept before, so that limits may be set, not only tightened. Return: 0, -errno. */
int hf_site_limits(struct hf_array *a, const struct hf_site *site, bool fresh);
/* If the configuration wants it; without CAP_SYS_ADMIN it is only said. Return: 0, -errno. */
int hf_site_seal(struct hf_array *a);

/**
 * hf_site_run() - all arrays that there are: limits, fences, seal; then let go of them
 * @config:	the keeper's part
 *
 * Goes on after an array that it cannot do. Return: 0, -errno of the first and why.
 */
int hf_site_run(const json_t *config, const struct hf_device *device, struct hf_err *e);

#endif /* HF_KEEPER_SITE_H */
