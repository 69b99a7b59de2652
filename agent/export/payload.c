// SPDX-License-Identifier: GPL-2.0
/* What the outside is told of an incident: never the black box, never who had a lease. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

static char *text_of(json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	return text;
}

static const char *last_change(const struct inc *i)
{
	const char *what = NULL;

	for (size_t n = json_array_size(i->timeline); n-- > 0;) {
		what = json_string_value(json_object_get(json_array_get(i->timeline, n), "what"));
		if (what && strcmp(what, "note") != 0)
			return what;
	}
	return "opened";
}

char *exp_webhook_body(const struct inc *i, const char *host)
{
	return text_of(json_pack("{s:i, s:s, s:s, s:o}", "version", 1, "host", host, "what",
				 last_change(i), "incident", inc_brief(i)));
}

/* https://prometheus.io/docs/alerting/latest/alerts_api/: repeated until "endsAt" says it is over. */
char *exp_alert_body(const struct inc *i, const char *host)
{
	char id[24], starts[HF_UTC_LEN], ends[HF_UTC_LEN];
	json_t *alert;

	snprintf(id, sizeof(id), "%" PRIu64, i->id);
	alert = json_pack("{s:{s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:s}", "labels",
			  "alertname", "HoldfastIncident", "incident", id, "key", i->key, "severity",
			  inc_severity_word(i->severity), "host", host, "annotations", "summary",
			  i->title, "description", i->detail, "state", inc_state_word(i->state),
			  "startsAt", hf_utc(i->opened_ns, starts));
	if (alert && i->state == INC_RESOLVED)
		json_object_set_new(alert, "endsAt", json_string(hf_utc(i->ended_ns, ends)));
	return text_of(alert ? json_pack("[o]", alert) : NULL);
}
