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

/* @fresh: nobody kept it before, so that limits may be set, not only tightened. Return: 0, -errno. */
int hf_site_limits(struct hf_array *a, const struct hf_site *site, bool fresh);
/*
 * If the configuration wants it; by a keeper that has given up CAP_SYS_ADMIN it is only said: at its
 * next start it has that again. Return: 0, -errno.
 */
int hf_site_seal(struct hf_array *a);

/**
 * hf_site_run() - arrays that nobody keeps: limits, fences, seal; then let go of them
 * @config:	the keeper's part
 * @array:	this one, which may have gone again; -1: all that there are
 *
 * An array that is kept goes by the configuration that is in force, not by @config: it is sealed if
 * it is not, and its limits are left alone. Goes on after an array that it cannot do.
 * Return: 0, -errno of the first and why.
 */
int hf_site_run(const json_t *config, int array, const struct hf_device *device, struct hf_err *e);

#endif /* HF_KEEPER_SITE_H */
