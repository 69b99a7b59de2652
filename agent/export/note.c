// SPDX-License-Identifier: GPL-2.0
/*
 * How a checkpoint is written where it is kept: as the note that audit signed,
 * and as a syslog message. Text only.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"

#define DASH	"\xe2\x80\x94 "		/* em dash and space: C2SP signed-note */
/* 13 "log audit" x 8 + 5 "notice" */
#define PRI	"<109>"
#define PRI_ALERT	14	/* facility "log alert" */
/* The number that RFC 5612 keeps for examples: Holdfast has none of its own. */
#define SD_ID	"holdfast@32473"

static void take(const json_t *body, const char *name, char *buf, size_t len)
{
	snprintf(buf, len, "%s", json_string_value(json_object_get(body, name)));
}

void exp_checkpoint_read(const json_t *body, struct exp_checkpoint *cp)
{
	take(body, "origin", cp->origin, sizeof(cp->origin));
	take(body, "root", cp->root, sizeof(cp->root));
	take(body, "key", cp->key, sizeof(cp->key));
	take(body, "signature", cp->signature, sizeof(cp->signature));
	cp->size = (uint64_t)json_integer_value(json_object_get(body, "size"));
	cp->t_ns = (uint64_t)json_integer_value(json_object_get(body, "t_ns"));
}

int exp_note(const struct exp_checkpoint *cp, char *buf)
{
	int n = snprintf(buf, EXP_TEXT, "%s\n%" PRIu64 "\n%s\ntime %" PRIu64 "\n\n" DASH "%s %s\n",
			 cp->origin, cp->size, cp->root, cp->t_ns, cp->key, cp->signature);

	return n < EXP_TEXT ? n : -EMSGSIZE;
}

/* PARAM-VALUE of RFC 5424: quote, backslash and bracket are escaped. */
static const char *escape(const char *text, char *buf, size_t len)
{
	size_t n = 0;

	for (; *text && n + 3 < len; text++) {
		if (*text == '"' || *text == '\\' || *text == ']')
			buf[n++] = '\\';
		buf[n++] = *text;
	}
	buf[n] = '\0';
	return buf;
}

int exp_syslog(const struct exp_checkpoint *cp, uint64_t real_ns, const char *host, char *buf)
{
	char origin[520], root[260], key[520], signature[520], body[EXP_TEXT], when[HF_UTC_LEN];
	int n = snprintf(body, sizeof(body),
			 PRI "1 %s %s holdfastd - anchor [" SD_ID " origin=\"%s\" size=\"%" PRIu64
			 "\" root=\"%s\" t=\"%" PRIu64 "\" key=\"%s\" signature=\"%s\"]"
			 " audit log has %" PRIu64 " records",
			 hf_utc(real_ns, when), host, escape(cp->origin, origin, sizeof(origin)),
			 cp->size, escape(cp->root, root, sizeof(root)), cp->t_ns,
			 escape(cp->key, key, sizeof(key)),
			 escape(cp->signature, signature, sizeof(signature)), cp->size);

	if (n >= (int)sizeof(body) || snprintf(buf, EXP_TEXT, "%d %s", n, body) >= EXP_TEXT)
		return -EMSGSIZE;
	return (int)strlen(buf);
}

/* Critical, warning, and notice for what is over. */
static int severity_of(const struct inc *i)
{
	if (i->state == INC_RESOLVED)
		return 5;
	return i->severity == INC_CRITICAL ? 2 : 4;
}

int exp_incident_syslog(const struct inc *i, uint64_t real_ns, const char *host, char *buf)
{
	char key[2 * INC_KEY], body[EXP_TEXT], when[HF_UTC_LEN];
	int n = snprintf(body, sizeof(body),
			 "<%d>1 %s %s holdfastd - incident [" SD_ID " id=\"%" PRIu64 "\" change=\"%" PRIu64
			 "\" key=\"%s\" severity=\"%s\" state=\"%s\"] %s: %s",
			 PRI_ALERT * 8 + severity_of(i), hf_utc(real_ns, when), host, i->id, i->change,
			 escape(i->key, key, sizeof(key)), inc_severity_word(i->severity),
			 inc_state_word(i->state), i->title, i->detail);

	if (n >= (int)sizeof(body) || snprintf(buf, EXP_TEXT, "%d %s", n, body) >= EXP_TEXT)
		return -EMSGSIZE;
	return (int)strlen(buf);
}
