// SPDX-License-Identifier: GPL-2.0
/* All channels (alerts.h). What each does is its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alerts.h"

struct trust {
	char ca[EXP_PATH];
	gnutls_certificate_credentials_t cred;
};

/* @trust: read before the sandbox, kept to the end. */
struct exp_alerts {
	struct exp_channel_env env;
	struct exp_channel *channel[EXP_CHANNELS];
	size_t n, trusts;
	struct trust trust[EXP_CHANNELS];
};

static const json_t *channels_of(const json_t *alerts)
{
	return json_object_get(alerts, "channels");
}

int exp_alerts_check(const json_t *alerts, struct hf_err *e)
{
	const json_t *list = channels_of(alerts), *j;
	struct exp_channel_settings s;
	size_t i;

	if (json_array_size(list) > EXP_CHANNELS)
		return hf_fail(e, -EINVAL, "alerts.channels: %zu where %d are allowed",
			       json_array_size(list), EXP_CHANNELS);
	json_array_foreach((json_t *)list, i, j)
		if (exp_channel_read(&s, j, e))
			return -EINVAL;
	return 0;
}

int exp_alerts_new(struct exp_alerts **out, const struct exp_channel_env *env)
{
	struct exp_alerts *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->env = *env;
	*out = a;
	return 0;
}

void exp_alerts_free(struct exp_alerts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		exp_channel_free(a->channel[i]);
	for (size_t i = 0; i < a->trusts; i++)
		gnutls_certificate_free_credentials(a->trust[i].cred);
	free(a);
}

/* ------------------------------------------------------------------- trust */

static int trust_open(struct exp_alerts *a, const char *ca, struct hf_err *e)
{
	struct trust *t = &a->trust[a->trusts];
	int ret = exp_trust_open(&t->cred, "alerts.channels", ca, e);

	if (ret)
		return ret;
	a->trusts++;
	strcpy(t->ca, ca);
	return 0;
}

static int trust_find(struct exp_alerts *a, struct exp_channel_settings *s, bool opening,
		      struct hf_err *e)
{
	int ret;

	for (size_t i = 0; i < a->trusts; i++)
		if (!strcmp(a->trust[i].ca, s->ca))
			s->route.trust = a->trust[i].cred;
	if (s->route.trust || !opening)
		return 0;
	ret = trust_open(a, s->ca, e);
	if (!ret)
		s->route.trust = a->trust[a->trusts - 1].cred;
	return ret;
}

/* ---------------------------------------------------------------- channels */

/* Takes it out of the present ones. */
static struct exp_channel *same(struct exp_alerts *a, const struct exp_channel_settings *s)
{
	for (size_t i = 0; i < a->n; i++) {
		struct exp_channel *c = a->channel[i];

		if (c && !memcmp(exp_channel_settings(c), s, sizeof(*s))) {
			a->channel[i] = NULL;
			return c;
		}
	}
	return NULL;
}

int exp_alerts_take(struct exp_alerts *a, const json_t *alerts, bool opening, struct hf_err *e)
{
	struct exp_channel *next[EXP_CHANNELS] = { NULL };
	const json_t *j;
	size_t i, n = 0;
	int ret = exp_alerts_check(alerts, e);

	if (ret)
		return ret;
	json_array_foreach((json_t *)channels_of(alerts), i, j) {
		struct exp_channel_settings s;

		ret = exp_channel_read(&s, j, e);
		if (!ret && s.tls)
			ret = trust_find(a, &s, opening, e);
		if (ret)
			break;
		next[n] = same(a, &s);
		if (!next[n] && exp_channel_new(&next[n], &a->env, &s)) {
			ret = hf_fail(e, -ENOMEM, "alerts.channels: out of memory");
			break;
		}
		n++;
	}
	for (i = 0; i < a->n; i++)
		exp_channel_free(a->channel[i]);
	memcpy(a->channel, next, sizeof(next));
	a->n = n;
	return ret;
}

void exp_alerts_catch_up(struct exp_alerts *a)
{
	for (size_t i = 0; i < a->n; i++)
		exp_channel_catch_up(a->channel[i]);
}

void exp_alerts_offer(struct exp_alerts *a, struct inc *i)
{
	for (size_t n = 0; n < a->n; n++)
		exp_channel_offer(a->channel[n], i);
}

void exp_alerts_key(struct exp_alerts *a, const char *name, const char *value)
{
	for (size_t i = 0; i < a->n; i++)
		exp_channel_key(a->channel[i], name, value);
}

json_t *exp_alerts_stats(const struct exp_alerts *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n; i++)
		json_array_append_new(list, exp_channel_stats(a->channel[i]));
	return list;
}

struct hf_finding exp_alerts_finding(const struct exp_alerts *a)
{
	struct hf_finding f = hf_finding_ok(NAN, NAN);

	for (size_t i = 0; i < a->n; i++) {
		struct hf_finding one = exp_channel_finding(a->channel[i]);

		hf_finding_worse(&f, &one);
	}
	return f;
}
