// SPDX-License-Identifier: GPL-2.0
/*
 * Rules between keys, and what production does not allow. Single values have
 * passed the table before they come here.
 */
#include <arpa/inet.h>
#include <string.h>

#include "config_internal.h"
#include "msg.h"

struct rules {
	const struct hf_config *config;
	const json_t *v;
	struct hf_config_errors *errors;
};

/* An error about @path, at the place of the nearest thing around it that the file states. */
static void broken(const struct rules *r, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void broken(const struct rules *r, const char *path, const char *fmt, ...)
{
	char at[HF_CONFIG_PATH], text[HF_ERR_LEN];
	unsigned int line = 0, column = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(at, sizeof(at), "%s", path);
	for (;;) {
		const json_t *place = json_object_get(r->config->places, at);
		char *dot = strrchr(at, '.');

		if (json_is_array(place)) {
			line = (unsigned int)json_integer_value(json_array_get(place, 0));
			column = (unsigned int)json_integer_value(json_array_get(place, 1));
			break;
		}
		if (!dot)
			break;
		*dot = '\0';
	}
	hf_config_err(r->errors, line, column, path, "%s", text);
}

static int64_t num(const struct rules *r, const char *path)
{
	return hf_config_int(r->v, path);
}

static bool is(const struct rules *r, const char *path, const char *word)
{
	return !strcmp(hf_config_text(r->v, path), word);
}

/* ------------------------------------------------------------- sections */

struct order {
	const char *less, *more;
	bool equal; /* may be */
};

static void rule_orders(const struct rules *r)
{
	static const struct order orders[] = {
		{ "audit.reserve_bytes", "audit.refuse_free_bytes", true },
		{ "audit.refuse_free_bytes", "audit.warn_free_bytes", false },
		{ "audit.segment_bytes", "audit.keep_bytes", false },
		{ "api.connections_per_source", "api.connections", true },
		{ "auth.session_user_idle_s", "auth.session_user_max_s", true },
		{ "auth.session_admin_idle_s", "auth.session_admin_max_s", true },
		{ "auth.lockout_start_s", "auth.lockout_max_s", true },
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		const struct order *o = &orders[i];
		int64_t less = num(r, o->less), more = num(r, o->more);

		if (less > more || (less == more && !o->equal))
			broken(r, o->less, "%lld must be %s %s, which is %lld", (long long)less,
			       o->equal ? "at most" : "below", o->more, (long long)more);
	}
}

static bool loopback(const char *address)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, address, &a4) == 1)
		return ntohl(a4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
}

static void rule_api(const struct rules *r)
{
	const char *listen = hf_config_text(r->v, "api.listen");
	const char *certificate = hf_config_text_or(r->v, "api.tls_certificate", NULL);
	const char *key = hf_config_text_or(r->v, "api.tls_key", NULL);
	struct in6_addr any;

	if (inet_pton(AF_INET, listen, &any) != 1 && inet_pton(AF_INET6, listen, &any) != 1)
		broken(r, "api.listen", "\"%s\" is no IPv4 or IPv6 address", listen);
	else if (hf_config_bool(r->v, "api.network_enabled") && !loopback(listen) && !key)
		broken(r, "api.listen",
		       "\"%s\" is not loopback: state api.tls_certificate and api.tls_key", listen);
	if (!certificate != !key)
		broken(r, key ? "api.tls_key" : "api.tls_certificate", "needs api.%s as well",
		       key ? "tls_certificate" : "tls_key");
}

static void rule_paths(const struct rules *r)
{
	const char *state = hf_config_text(r->v, "paths.state"),
		   *run = hf_config_text(r->v, "paths.run");
	size_t ls = strlen(state), lr = strlen(run), l = ls < lr ? ls : lr;

	if (!strncmp(state, run, l) && (ls == lr || (ls > lr ? state[l] : run[l]) == '/'))
		broken(r, "paths.run",
		       "\"%s\" and paths.state \"%s\" must not be the same or one in the other",
		       run, state);
}

/* --------------------------------------------------------- limits, fences */

static void rule_limits(const struct rules *r, const char *path, const json_t *limits)
{
	static const char *const pairs[][2] = {
		{ "temp_warn", "temp_crit" },	{ "temp_crit", "temp_emerg" },
		{ "supply_min", "supply_max" }, { "box_min_x", "box_max_x" },
		{ "box_min_y", "box_max_y" },	{ "box_min_z", "box_max_z" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const json_t *low = json_object_get(limits, pairs[i][0]);
		const json_t *high = json_object_get(limits, pairs[i][1]);
		char sub[HF_CONFIG_PATH];

		if (!low || !high || json_integer_value(low) <= json_integer_value(high))
			continue;
		hf_config_join(sub, path, pairs[i][0]);
		broken(r, sub, "%lld must be at most %s, which is %lld",
		       (long long)json_integer_value(low), pairs[i][1],
		       (long long)json_integer_value(high));
	}
}

/* Two elements of a list with the same values of these members say two things about one. */
static void rule_unique(const struct rules *r, const char *path, const json_t *list,
			const char *const *members)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		for (size_t j = 0; j < i; j++) {
			const json_t *a = json_array_get(list, i), *b = json_array_get(list, j);
			bool same = members[0] || json_equal(a, b);
			char sub[HF_CONFIG_PATH];

			for (const char *const *m = members; *m && same; m++)
				same = json_object_get(a, *m) &&
				       json_equal(json_object_get(a, *m), json_object_get(b, *m));
			if (!same)
				continue;
			hf_config_join_index(sub, path, i);
			broken(r, sub, "has the same %s as element %zu; each may stand once",
			       members[0] ? members[0] : "value", j);
			break;
		}
	}
}

static const char *const by_value[] = { NULL };
static const char *const by_point[] = { "x_um", "y_um", "z_um", NULL };

static void rule_arrays(const struct rules *r)
{
	static const char *const by_match[] = { "match", NULL };
	const json_t *list = hf_config_list(r->v, "arrays"), *e;
	int64_t beat_ms = num(r, "keeper.beat_ms");
	size_t i;

	rule_unique(r, "arrays", list, by_match);
	json_array_foreach(list, i, e)
	{
		const json_t *limits = json_object_get(e, "limits");
		int64_t deadline = hf_config_int_or(limits, "keeper_deadline", INT64_MAX);
		char at[HF_CONFIG_PATH], sub[HF_CONFIG_PATH];

		hf_config_join_index(at, "arrays", i);
		hf_config_join(sub, at, "limits");
		rule_limits(r, sub, limits);
		if (deadline / 2 < beat_ms) {
			hf_config_join(sub, at, "limits.keeper_deadline");
			broken(r, sub,
			       "%lld ms leave no room for a lost beat: at least twice keeper.beat_ms (%lld)",
			       (long long)deadline, (long long)beat_ms);
		}
		hf_config_join(sub, at, "fence");
		rule_unique(r, sub, json_object_get(e, "fence"), by_point);
	}
}

/* --------------------------------------------------------- tenants, peers */

static void rule_windows(const struct rules *r, const char *path, const json_t *windows)
{
	const json_t *w;
	size_t i;

	rule_unique(r, path, windows, by_value);
	json_array_foreach(windows, i, w)
	{
		const char *hours = strchr(json_string_value(w), ' ') + 1;
		char sub[HF_CONFIG_PATH];

		if (strncmp(hours, hours + 6, 5) < 0)
			continue;
		hf_config_join_index(sub, path, i);
		broken(r, sub, "\"%s\" ends before it begins; past midnight takes two windows",
		       json_string_value(w));
	}
}

static void rule_tenant(const struct rules *r, const char *path, const json_t *t)
{
	int64_t longest = num(r, "keeper.lease_max_s"), own = hf_config_int(t, "max_lease_s");
	char sub[HF_CONFIG_PATH];

	hf_config_join(sub, path, "max_lease_s");
	if (own > longest)
		broken(r, sub, "%lld must be at most keeper.lease_max_s, which is %lld",
		       (long long)own, (long long)longest);
	hf_config_join(sub, path, "arrays");
	rule_unique(r, sub, json_object_get(t, "arrays"), by_value);
	hf_config_join(sub, path, "rights");
	rule_unique(r, sub, json_object_get(t, "rights"), by_value);
	hf_config_join(sub, path, "windows");
	rule_windows(r, sub, json_object_get(t, "windows"));
	hf_config_join(sub, path, "limits");
	rule_limits(r, sub, json_object_get(t, "limits"));
	hf_config_join(sub, path, "fence");
	rule_unique(r, sub, json_object_get(t, "fence"), by_point);
}

static void rule_tenants(const struct rules *r)
{
	static const char *const by_name[] = { "name", NULL }, *const by_id[] = { "id", NULL };
	const json_t *list = hf_config_list(r->v, "tenants"), *t;
	size_t i;

	rule_unique(r, "tenants", list, by_name);
	rule_unique(r, "tenants", list, by_id);
	if (json_array_size(list) && !json_array_size(hf_config_list(r->v, "arrays")))
		broken(r, "tenants",
		       "tenants without arrays: state arrays, or \"- match: \\\"*\\\"\" for all");
	json_array_foreach(list, i, t)
	{
		char at[HF_CONFIG_PATH];

		hf_config_join_index(at, "tenants", i);
		rule_tenant(r, at, t);
	}
}

static bool tenant_known(const struct rules *r, const char *name)
{
	const json_t *t;
	size_t i;

	json_array_foreach(hf_config_list(r->v, "tenants"), i,
			   t) if (!strcmp(hf_config_text(t, "name"), name)) return true;
	return false;
}

static void rule_peers(const struct rules *r)
{
	static const char *const by[][2] = { { "uid", NULL }, { "user", NULL }, { "group", NULL } };
	const json_t *list = hf_config_list(r->v, "peers"), *p;
	size_t i;

	for (size_t k = 0; k < sizeof(by) / sizeof(by[0]); k++)
		rule_unique(r, "peers", list, by[k]);
	json_array_foreach(list, i, p)
	{
		const char *tenant = hf_config_text_or(p, "tenant", NULL);
		int stated = !!json_object_get(p, "uid") + !!json_object_get(p, "user") +
			     !!json_object_get(p, "group");
		char at[HF_CONFIG_PATH];

		hf_config_join_index(at, "peers", i);
		if (stated != 1)
			broken(r, at, "needs exactly one of uid, user and group; there are %d",
			       stated);
		if (json_object_get(p, "group") && json_object_get(p, "name"))
			broken(r, at,
			       "a group has no name: its members must be told apart in the audit log");
		if (tenant && !tenant_known(r, tenant))
			broken(r, at, "there is no tenant \"%s\"", tenant);
	}
}

/* --------------------------------------------------------- export */

static bool below(const char *path, const char *folder)
{
	size_t l = strlen(folder);

	return !strncmp(path, folder, l) && (path[l] == '/' || !path[l]);
}

static void rule_anchors(const struct rules *r)
{
	static const char *const by_file[] = { "path", NULL }, *const by_host[] = { "host", "port",
										    NULL };
	const json_t *list = hf_config_list(r->v, "export.anchors"), *a;
	size_t i;

	rule_unique(r, "export.anchors", list, by_file);
	rule_unique(r, "export.anchors", list, by_host);
	json_array_foreach(list, i, a)
	{
		bool file = !strcmp(hf_config_text(a, "kind"), "file");
		const char *path = hf_config_text_or(a, "path", NULL);
		const char *host = hf_config_text_or(a, "host", NULL);
		bool port = json_object_get(a, "port"), ca = json_object_get(a, "ca");
		char at[HF_CONFIG_PATH];

		hf_config_join_index(at, "export.anchors", i);
		if (file && (!path || host || port || ca))
			broken(r, at,
			       "an anchor of kind file has path, and none of host, port and ca");
		if (!file && (!host || !port || path))
			broken(r, at, "an anchor by syslog has host and port, and no path");
		if (ca && strcmp(hf_config_text(a, "kind"), "syslog_tls"))
			broken(r, at, "only syslog_tls has ca");
		if (file && path && below(path, hf_config_text(r->v, "paths.state")))
			broken(r, at,
			       "\"%s\" is within paths.state: who loses the log must not lose its anchor",
			       path);
	}
}

static void rule_channels(const struct rules *r)
{
	static const char *const by_name[] = { "name", NULL };
	const json_t *list = hf_config_list(r->v, "alerts.channels"), *c;
	bool production = is(r, "environment", "production");
	size_t i;

	rule_unique(r, "alerts.channels", list, by_name);
	json_array_foreach(list, i, c)
	{
		const char *kind = hf_config_text(c, "kind");
		bool syslog = !strncmp(kind, "syslog", 6);
		const char *url = hf_config_text_or(c, "url", NULL);
		const char *secret = hf_config_text_or(c, "secret", NULL);
		bool host = json_object_get(c, "host"), port = json_object_get(c, "port");
		char at[HF_CONFIG_PATH];

		hf_config_join_index(at, "alerts.channels", i);
		if (syslog && (!host || !port || url))
			broken(r, at, "a channel by syslog has host and port, and no url");
		if (!syslog && (!url || host || port))
			broken(r, at, "a channel of kind %s has url, and neither host nor port", kind);
		if (json_object_get(c, "ca") && strcmp(kind, "syslog_tls") &&
		    !(url && !strncmp(url, "https:", 6)))
			broken(r, at, "only https and syslog_tls have ca");
		if (secret && strcmp(kind, "webhook"))
			broken(r, at, "only a webhook signs, by its secret");
		if (secret && strncmp(secret, "export-", 7))
			broken(r, at, "secret \"%s\": its name has to begin with \"export-\"", secret);
		if (production && url && strncmp(url, "https:", 6))
			broken(r, at, "production tells by https only");
	}
}

/* --------------------------------------------------------- fleet */

static void rule_fleet(const struct rules *r)
{
	static const char *const by[] = { "address", "port", NULL };
	const json_t *list = hf_config_list(r->v, "fleet.servers");
	const char *host = hf_config_text_or(r->v, "fleet.host", NULL);

	rule_unique(r, "fleet.servers", list, by);
	if (strncmp(hf_config_text_or(r->v, "fleet.secret", "fleet-"), "fleet-", 6))
		broken(r, "fleet.secret", "begins with \"fleet-\": no other is given to that process");
	if (!json_array_size(list))
		return;
	if (!host)
		broken(r, "fleet.host",
		       "must be stated: two hosts with one name are told apart by nobody");
	if (hf_config_text_or(r->v, "fleet.user", NULL) &&
	    !hf_config_text_or(r->v, "fleet.secret", NULL))
		broken(r, "fleet.user", "needs fleet.secret, the name of its password");
	if (!hf_config_bool(r->v, "fleet.tls")) {
		if (is(r, "environment", "production"))
			broken(r, "fleet.tls",
			       "production wants it: whoever is on the way could say \"stop\"");
		return;
	}
	if (!hf_config_text_or(r->v, "fleet.ca", NULL) ||
	    !hf_config_text_or(r->v, "fleet.tls_name", NULL))
		broken(r, "fleet.tls", "needs fleet.ca and fleet.tls_name");
}

/* --------------------------------------------------------- production */

static void rule_production(const struct rules *r)
{
	static const char *const fleeting[] = { "/tmp", "/var/tmp", "/dev", "/run" };
	const char *state = hf_config_text(r->v, "paths.state");

	if (!is(r, "environment", "production"))
		return;
	if (!hf_config_bool(r->v, "keeper.seal"))
		broken(r, "keeper.seal", "production seals: without it root can loosen limits");
	if (num(r, "keeper.audit_grace_ms") > 10000)
		broken(r, "keeper.audit_grace_ms",
		       "production allows at most 10000 ms without audit log");
	if (num(r, "auth.argon2_kib") < 19456 || num(r, "auth.argon2_passes") < 2)
		broken(r, "auth.argon2_kib", "production wants at least 19456 KiB and 2 passes");
	if (num(r, "auth.password_min") < 15 && !hf_config_bool(r->v, "auth.totp_required"))
		broken(r, "auth.password_min",
		       "production wants at least 15, or auth.totp_required: true");
	if (is(r, "log.level", "debug"))
		broken(r, "log.level",
		       "production does not log at level debug; info is the most it says");
	for (size_t i = 0; i < sizeof(fleeting) / sizeof(fleeting[0]); i++)
		if (below(state, fleeting[i]))
			broken(r, "paths.state",
			       "\"%s\" does not last; production wants a place that does, as /var/lib/holdfast",
			       state);
}

/* What a process gets must fit into one message. */
static void rule_sizes(const struct rules *r)
{
	for (enum hf_proc p = HF_PROC_PARENT + 1; p < HF_PROCS; p++) {
		json_t *part = hf_config_part(r->config, p);
		size_t len = json_dumpb(part, NULL, 0, JSON_COMPACT);

		json_decref(part);
		if (len > HF_MSG_MAX - 1024)
			broken(r, "",
			       "the part of %s is %zu bytes as JSON, where %d are allowed: fewer tenants, peers or fence points",
			       hf_proc_name(p), len, HF_MSG_MAX - 1024);
	}
}

void hf_config_rules(const struct hf_config *c, struct hf_config_errors *errors)
{
	static void (*const rules[])(const struct rules *) = {
		rule_orders, rule_api,	   rule_paths,	    rule_arrays, rule_tenants,
		rule_peers,  rule_anchors, rule_channels, rule_fleet, rule_production, rule_sizes,
	};
	const struct rules r = { .config = c, .v = c->values, .errors = errors };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i](&r);
}
