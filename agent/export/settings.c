// SPDX-License-Identifier: GPL-2.0
/* What anchors and channels read and do alike (export.h). */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "export.h"

const struct hf_breaker_rule exp_breaker_rule = {
	.window_ns = 600 * HF_S, .min_calls = 3, .fail_pct = 50, .open_ns = 10 * HF_S,
	.open_max_ns = 300 * HF_S, .probes = 1, .probe_ns = 2 * EXP_SEND_NS,
};

int exp_text_read(const json_t *j, const char *section, const char *key, char *to, size_t room,
		  struct hf_err *e)
{
	const char *text = hf_config_text_or(j, key, "");

	if (strlen(text) >= room)
		return hf_fail(e, -EINVAL, "%s: %s: %zu bytes where %zu are allowed", section, key,
			       strlen(text), room - 1);
	strcpy(to, text);
	return 0;
}

int exp_trust_open(gnutls_certificate_credentials_t *out, const char *section, const char *ca,
		   struct hf_err *e)
{
	int n = gnutls_certificate_allocate_credentials(out);

	if (n)
		return hf_fail(e, -ENOMEM, "%s: %s", section, gnutls_strerror(n));
	n = ca[0] ? gnutls_certificate_set_x509_trust_file(*out, ca, GNUTLS_X509_FMT_PEM) :
		    gnutls_certificate_set_x509_system_trust(*out);
	if (n > 0)
		return 0;
	gnutls_certificate_free_credentials(*out);
	*out = NULL;
	return hf_fail(e, -EINVAL, "%s: %s: no authority in it (%s)", section,
		       ca[0] ? ca : "the system's", n ? gnutls_strerror(n) : "empty");
}
