/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The HTTP processes' part of the configuration, as they use it.
 */
#ifndef HF_SETTINGS_H
#define HF_SETTINGS_H

#include <jansson.h>
#include <netinet/in.h>

#include "abuse.h"
#include "headers.h"
#include "rate_limits.h"
#include "role.h"

/**
 * struct hf_settings - part `api`
 * @enabled:	listen at all
 * @addr:	front: where; @addr_len 0 with local
 * @socket:	local: path of the unix socket; set by the process, which knows its folder
 * @certificate: @key:	files, NULL: no TLS
 *
 * Texts belong to @json.
 */
struct hf_settings {
	json_t *json;
	bool enabled;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char socket[108];
	const char *certificate, *key;
	uint32_t connections, connections_per_source;
	struct hf_site site;
	struct hf_rates rates;
	struct hf_abuse_rules abuse;
};

/* For @role, which is front or local. Return: 0, -EINVAL and why. Free with hf_settings_clear(). */
int hf_settings_read(struct hf_settings *s, enum hf_proc role, const json_t *part,
		     struct hf_err *e);
void hf_settings_clear(struct hf_settings *s);
/* Only the parent can give us another socket. Return: 0, -EINVAL and what takes a restart. */
int hf_settings_change(const struct hf_settings *old, const struct hf_settings *new,
		       struct hf_err *e);

#endif /* HF_SETTINGS_H */
