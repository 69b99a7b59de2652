// SPDX-License-Identifier: GPL-2.0
/*
 * From the configuration to settings. The values' ranges were checked by the
 * configuration's own table; here is what only this process can know.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "settings.h"

static bool is_loopback(const struct sockaddr_storage *a)
{
	struct hf_source s;

	return !hf_source_of_address((const struct sockaddr *)a, &s) && s.gentle;
}

static int address_read(struct hf_settings *s, const char *text, uint16_t port, struct hf_err *e)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&s->addr, &in, sizeof(in));
		s->addr_len = sizeof(in);
	} else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(&s->addr, &in6, sizeof(in6));
		s->addr_len = sizeof(in6);
	} else {
		return hf_fail(e, -EINVAL, "api.listen: \"%s\" is not an IPv4 or IPv6 address",
			       text);
	}
	if (!s->certificate && !is_loopback(&s->addr))
		return hf_fail(e, -EINVAL, "api.listen: \"%s\" is not loopback, and without "
			       "api.tls_certificate and api.tls_key only loopback is served", text);
	return 0;
}

static int network_read(struct hf_settings *s, struct hf_err *e)
{
	const json_t *j = s->json;

	s->enabled = hf_config_bool(j, "api.network_enabled");
	s->certificate = hf_config_text_or(j, "api.tls_certificate", NULL);
	s->key = hf_config_text_or(j, "api.tls_key", NULL);
	if (!s->certificate != !s->key)
		return hf_fail(e, -EINVAL, "api.tls_certificate and api.tls_key go together");
	s->site.tls = s->certificate;
	return address_read(s, hf_config_text(j, "api.listen"),
			    (uint16_t)hf_config_int(j, "api.port"), e);
}

static void local_read(struct hf_settings *s)
{
	s->enabled = hf_config_bool(s->json, "api.local_enabled");
	s->site.any_host = true;
}

static void hosts_read(struct hf_settings *s)
{
	const json_t *hosts = hf_config_list(s->json, "api.hosts");

	for (size_t i = 0; i < json_array_size(hosts) && i < HF_HOSTS_MAX; i++)
		s->site.hosts[i] = json_string_value(json_array_get(hosts, i));
}

int hf_settings_read(struct hf_settings *s, enum hf_proc role, const json_t *part,
		     struct hf_err *e)
{
	const json_t *j;
	int ret = 0;

	*s = (struct hf_settings){ .json = json_deep_copy(part) };
	j = s->json;
	if (!j)
		return hf_fail(e, -EINVAL, "out of memory");
	s->connections = (uint32_t)hf_config_int(j, "api.connections");
	s->connections_per_source = (uint32_t)hf_config_int(j, "api.connections_per_source");
	s->site.body_max = (uint64_t)hf_config_int(j, "api.body_max");
	s->rates.requests_per_minute = (uint32_t)hf_config_int(j, "api.requests_per_minute");
	s->rates.login_per_minute = (uint32_t)hf_config_int(j, "api.login_per_minute");
	s->abuse.block_after = (uint32_t)hf_config_int(j, "api.block_after");
	s->abuse.block_s = (uint32_t)hf_config_int(j, "api.block_s");
	hosts_read(s);
	if (role == HF_PROC_LOCAL)
		local_read(s);
	else
		ret = network_read(s, e);
	if (ret)
		hf_settings_clear(s);
	return ret;
}

void hf_settings_clear(struct hf_settings *s)
{
	json_decref(s->json);
	*s = (struct hf_settings){ .json = NULL };
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

int hf_settings_change(const struct hf_settings *old, const struct hf_settings *new,
		       struct hf_err *e)
{
	const char *what = NULL;

	if (old->enabled != new->enabled)
		what = "whether to listen";
	else if (memcmp(&old->addr, &new->addr, sizeof(old->addr)))
		what = "listen, port";
	else if (strcmp(old->socket, new->socket))
		what = "paths.run";
	else if (!same_text(old->certificate, new->certificate) || !same_text(old->key, new->key))
		what = "tls_certificate, tls_key (the files' contents may change)";
	else if (old->connections != new->connections ||
		 old->connections_per_source != new->connections_per_source)
		what = "connections";
	return what ? hf_fail(e, -EINVAL, "api: %s: takes a restart", what) : 0;
}
