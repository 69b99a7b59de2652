// SPDX-License-Identifier: GPL-2.0
/* Policy of leases and of sight (policy.h). Everything it knows is in its arguments. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "policy.h"

#define FOREVER_S	INT64_MAX

static int __attribute__((format(printf, 3, 4))) no(char *text, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, HOLDFAST_TEXT_LEN, fmt, ap);
	va_end(ap);
	return ret;
}

static const char *rights_text(uint32_t rights, char buf[32])
{
	snprintf(buf, 32, "%s%s%s%s%s", rights & HOLDFAST_RIGHT_FRAMES ? "+frames" : "",
		 rights & HOLDFAST_RIGHT_RAW ? "+raw" : "",
		 rights & HOLDFAST_RIGHT_ARM ? "+arm" : "",
		 rights & HOLDFAST_RIGHT_RESET ? "+reset" : "", rights ? "" : "none");
	return buf[0] == '+' ? buf + 1 : buf;
}

static bool commands(const struct hf_actor *a)
{
	return a->role == HF_ROLE_OPERATOR || a->role == HF_ROLE_ADMIN;
}

/* The latest end of the windows that are open at @now_s; 0: none is. */
static int64_t window_end_s(const struct hf_tenant *t, int64_t now_s)
{
	int64_t until = 0;

	for (size_t i = 0; i < t->windows; i++) {
		int64_t end = hf_window_end_s(&t->window[i], now_s);

		if (end > until)
			until = end;
	}
	return until;
}

/*
 * Until when may this tenant's leases last, through windows that follow on one
 * another, but for a lease's longest life? FOREVER_S: no windows; 0: not now.
 */
static int64_t open_until_s(const struct hf_tenant *t, int64_t now_s)
{
	int64_t until, next;

	if (!t || !t->windows)
		return FOREVER_S;
	until = window_end_s(t, now_s);
	while (until && until <= now_s + (int64_t)(t->max_lease_ms / 1000)) {
		next = window_end_s(t, until);
		if (!next)
			break;
		until = next;
	}
	return until;
}

static int refuse_window(const struct hf_tenant *t, int64_t now_s, char *text)
{
	char first[HF_WINDOW_TEXT], local[32];
	time_t at = (time_t)now_s;
	struct tm tm;

	localtime_r(&at, &tm);
	strftime(local, sizeof(local), "%a %H:%M", &tm);
	return no(text, -EACCES, "it is %s; tenant %s may have leases %s%s", local, t->name,
		  hf_window_text(&t->window[0], first),
		  t->windows > 1 ? " and in other windows" : "");
}

/* Rights and window, which hold for new leases and for those there are. */
static int allowed(const struct hf_settings *s, const struct hf_tenant *t, uint32_t index,
		   const char *serial, uint32_t rights, uint64_t now_real_ns, char *text)
{
	int64_t now_s = (int64_t)(now_real_ns / HF_S);
	char got[32], may[32];

	if (t && !hf_tenant_has(t, index, serial))
		return no(text, -ENODEV, "there is no array %" PRIu32, index);
	if (t && rights & ~t->rights)
		return no(text, -EPERM, "rights %s where tenant %s has %s",
			  rights_text(rights, got), t->name, rights_text(t->rights, may));
	if (rights & HOLDFAST_RIGHT_RESET && s->reset_two_person)
		return no(text, -EPERM, "no lease may reset while keeper.reset_two_person is true");
	if (!open_until_s(t, now_s))
		return refuse_window(t, now_s, text);
	return 0;
}

/* The longest this lease may be, ms. */
static uint64_t most_ms(const struct hf_settings *s, const struct hf_tenant *t)
{
	return t && t->max_lease_ms < s->lease_max_ms ? t->max_lease_ms : s->lease_max_ms;
}

static int grant(const struct hf_settings *s, const struct hf_wish *w, const struct hf_tenant *t,
		 uint64_t now_real_ns, struct hf_grant *g, char *text)
{
	uint64_t most = most_ms(s, t), left_ms;
	int64_t until = open_until_s(t, (int64_t)(now_real_ns / HF_S));

	if (w->duration_ms > most)
		return no(text, -ERANGE, "%" PRIu64 " ms where %" PRIu64 " ms is allowed",
			  w->duration_ms, most);
	g->tenant = t;
	g->duration_ms = w->duration_ms ? w->duration_ms : most;
	if (until == FOREVER_S)
		return 0;
	left_ms = ((uint64_t)until * HF_S - now_real_ns) / HF_MS;
	if (!left_ms)
		return refuse_window(t, until, text);
	if (g->duration_ms > left_ms)
		g->duration_ms = left_ms;
	return 0;
}

int hf_policy_lease(const struct hf_settings *s, const struct hf_wish *w, uint64_t now_real_ns,
		    struct hf_grant *g, char *text)
{
	const struct hf_actor *a = w->actor;
	const struct hf_tenant *t = a->tenant[0] ? hf_settings_tenant(s, a->tenant) : NULL;
	char got[32];
	int ret;

	if (!commands(a) && a->role != HF_ROLE_USER)
		return no(text, -EACCES, "%s: leases are for users, operators and admins", a->name);
	if (a->tenant[0] && !t)
		return no(text, -EACCES, "%s: tenant %s is not in the configuration", a->name,
			  a->tenant);
	if (!t && !commands(a))
		return no(text, -EACCES, "%s: a user without a tenant has no leases", a->name);
	if (!w->rights || w->rights & ~HOLDFAST_RIGHT_ALL)
		return no(text, -EPERM, "rights 0x%x where 0x1..0x%x is allowed", w->rights,
			  HOLDFAST_RIGHT_ALL);
	if (!commands(a) && w->rights & (HOLDFAST_RIGHT_ARM | HOLDFAST_RIGHT_RESET))
		return no(text, -EPERM, "rights %s where a user may have frames+raw",
			  rights_text(w->rights, got));
	ret = allowed(s, t, w->index, w->serial, w->rights, now_real_ns, text);
	if (ret)
		return ret;
	if (t && w->live >= t->max_leases)
		return no(text, -EDQUOT,
			  "tenant %s has %" PRIu32 " leases where %" PRIu32 " are allowed", t->name,
			  w->live, t->max_leases);
	return grant(s, w, t, now_real_ns, g, text);
}

int hf_policy_stands(const struct hf_settings *s, uint64_t tenant_id, uint32_t index,
		     const char *serial, uint32_t rights, uint64_t now_real_ns, char *text)
{
	const struct hf_tenant *t = tenant_id ? hf_settings_tenant_id(s, tenant_id) : NULL;

	if (tenant_id && !t)
		return no(text, -EACCES, "its tenant is no longer in the configuration");
	return allowed(s, t, index, serial, rights, now_real_ns, text);
}

bool hf_policy_sees_array(const struct hf_settings *s, const struct hf_actor *a, uint32_t index,
			  const char *serial)
{
	const struct hf_tenant *t;

	if (a->role == HF_ROLE_ADMIN)
		return true;
	if (!a->tenant[0])
		return a->role == HF_ROLE_OPERATOR || a->role == HF_ROLE_SYSTEM;
	t = hf_settings_tenant(s, a->tenant);
	return t && hf_tenant_has(t, index, serial);
}

bool hf_policy_sees_tenant(const struct hf_settings *s, const struct hf_actor *a,
			   uint64_t tenant_id)
{
	const struct hf_tenant *t;

	if (a->role == HF_ROLE_ADMIN)
		return true;
	if (!a->tenant[0])
		return !tenant_id && (a->role == HF_ROLE_OPERATOR || a->role == HF_ROLE_SYSTEM);
	t = hf_settings_tenant(s, a->tenant);
	return t && t->id == tenant_id;
}
