/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The certificate and its key: read from files that may be replaced while
 * connections come and go. One per process, for GnuTLS's callback has no
 * argument of ours.
 */
#ifndef HF_TLS_H
#define HF_TLS_H

#include <gnutls/abstract.h>

#include "clock.h"
#include "err.h"

/* TLS 1.3 and nothing else. */
#define HF_TLS_PRIORITIES	"SECURE128:-VERS-ALL:+VERS-TLS1.3:%SERVER_PRECEDENCE"

/*
 * Opens the files' folders (they stay open, for the sandbox comes) and reads
 * both files. Return: 0, -errno and why.
 */
int hf_tls_open(const char *certificate, const char *key, uint64_t now_ns, struct hf_err *e);
void hf_tls_close(void);
/* Reads both again; on error what there was stays. */
int hf_tls_reload(uint64_t now_ns, struct hf_err *e);
/* Have the files changed since they were read? */
bool hf_tls_changed(void);
/* Seconds since 1970 when the certificate ends. */
int64_t hf_tls_expires_s(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
int hf_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		    gnutls_pcert_st **certs, unsigned int *n_certs, gnutls_ocsp_data_st **ocsp,
		    unsigned int *n_ocsp, gnutls_privkey_t *key, unsigned int *flags);

#endif /* HF_TLS_H */
