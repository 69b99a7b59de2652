/* SPDX-License-Identifier: GPL-2.0 */
/* All channels of the configuration, and the authorities that they trust. */
#ifndef HF_EXPORT_ALERTS_H
#define HF_EXPORT_ALERTS_H

#include "channel.h"

struct exp_alerts;

/* Would this section be taken? Return: 0, -EINVAL and why. */
int exp_alerts_check(const json_t *alerts, struct hf_err *e);
int exp_alerts_new(struct exp_alerts **out, const struct exp_channel_env *env);	/* @env: copied */
void exp_alerts_free(struct exp_alerts *a);
/*
 * exp_alerts_take() - these channels from now on; one that is the same goes on where it was
 * @opening:	files with authorities can be read. Return: 0, -errno and why
 */
int exp_alerts_take(struct exp_alerts *a, const json_t *alerts, bool opening, struct hf_err *e);
void exp_alerts_catch_up(struct exp_alerts *a);
void exp_alerts_offer(struct exp_alerts *a, struct inc *i);
void exp_alerts_key(struct exp_alerts *a, const char *name, const char *value);
json_t *exp_alerts_stats(const struct exp_alerts *a);
struct hf_finding exp_alerts_finding(const struct exp_alerts *a);	/* of the worst */

#endif /* HF_EXPORT_ALERTS_H */
