// SPDX-License-Identifier: GPL-2.0
/*
 * Certificates for GnuTLS. A pair that was replaced is kept for a while, as
 * handshakes may still use it. Nothing here writes, and the key leaves this
 * file only as a handle.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gnutls/x509.h>

#include "file.h"
#include "tls.h"

#define CHAIN_MAX	8
#define FILE_MAX	65536
#define RETIRED_NS	(60 * HF_S)	/* a handshake ends long before (HF_CONNS_PHASE_NS) */

/* One file: its folder, its name there, and what it was when it was read. */
struct place {
	char *path;
	const char *name;	/* within @path */
	int dirfd;
	struct stat seen;
};

struct pair {
	struct pair *older;
	gnutls_pcert_st certs[CHAIN_MAX];
	unsigned int n_certs;
	gnutls_privkey_t key;
	int64_t expires_s;
	uint64_t retired_ns;
};

static struct {
	struct place certificate, key;
	struct pair *pair;	/* newest first */
} tls = { .certificate = { .dirfd = -1 }, .key = { .dirfd = -1 } };

static void pair_free(struct pair *p)
{
	for (unsigned int i = 0; i < p->n_certs; i++)
		gnutls_pcert_deinit(&p->certs[i]);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	free(p);
}

static int place_open(struct place *p, const char *path, struct hf_err *e)
{
	char folder[PATH_MAX];
	size_t len = strlen(path);

	p->path = len < sizeof(folder) ? strdup(path) : NULL;
	if (!p->path)
		return hf_fail(e, -ENOMEM, "out of memory");
	while (path[len - 1] != '/')	/* the configuration has only absolute paths */
		len--;
	p->name = p->path + len;
	memcpy(folder, path, len);
	folder[len] = '\0';
	p->dirfd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return p->dirfd < 0 ? hf_fail(e, -errno, "%s: %s", folder, strerror(errno)) : 0;
}

static int place_read(struct place *p, gnutls_datum_t *d, struct hf_err *e)
{
	char *data = NULL;
	struct hf_err why;
	size_t len = 0;
	int ret;

	if (fstatat(p->dirfd, p->name, &p->seen, AT_SYMLINK_NOFOLLOW))
		memset(&p->seen, 0, sizeof(p->seen));
	ret = hf_file_read(p->dirfd, p->name, FILE_MAX, &data, &len, &why);
	if (ret)
		return hf_fail(e, ret, "%s: %s", p->path, why.text);
	d->data = (unsigned char *)data;
	d->size = (unsigned int)len;
	return 0;
}

static int failed(struct hf_err *e, const char *path, int ret)
{
	return hf_fail(e, -EINVAL, "%s: %s", path, gnutls_strerror(ret));
}

/* Is this the certificate's key? */
static int pair_fits(struct pair *p, struct hf_err *e)
{
	unsigned char a[64], b[64];
	size_t a_len = sizeof(a), b_len = sizeof(b);
	gnutls_pubkey_t pub;
	int ret = gnutls_pubkey_init(&pub);

	if (ret)
		return failed(e, tls.key.path, ret);
	ret = gnutls_pubkey_import_privkey(pub, p->key, 0, 0);
	if (!ret)
		ret = gnutls_pubkey_get_key_id(pub, GNUTLS_KEYID_USE_SHA256, a, &a_len);
	gnutls_pubkey_deinit(pub);
	if (!ret)
		ret = gnutls_pubkey_get_key_id(p->certs[0].pubkey, GNUTLS_KEYID_USE_SHA256, b,
						&b_len);
	if (ret)
		return failed(e, tls.key.path, ret);
	if (a_len != b_len || memcmp(a, b, a_len))
		return hf_fail(e, -EINVAL, "%s is not the key of %s", tls.key.path,
			       tls.certificate.path);
	return 0;
}

static int expiry_read(struct pair *p)
{
	gnutls_x509_crt_t crt;
	int ret = gnutls_pcert_export_x509(&p->certs[0], &crt);

	if (ret)
		return ret;
	p->expires_s = gnutls_x509_crt_get_expiration_time(crt);
	gnutls_x509_crt_deinit(crt);
	return 0;
}

static int pair_import(struct pair *p, const gnutls_datum_t *chain, const gnutls_datum_t *key,
		       struct hf_err *e)
{
	unsigned int n = CHAIN_MAX;
	int ret = gnutls_pcert_list_import_x509_raw(p->certs, &n, chain, GNUTLS_X509_FMT_PEM,
						    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (ret || !n)
		return failed(e, tls.certificate.path, ret ? ret : GNUTLS_E_NO_CERTIFICATE_FOUND);
	p->n_certs = n;
	ret = expiry_read(p);
	if (ret)
		return failed(e, tls.certificate.path, ret);
	ret = gnutls_privkey_init(&p->key);
	if (!ret)
		ret = gnutls_privkey_import_x509_raw(p->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
	return ret ? failed(e, tls.key.path, ret) : pair_fits(p, e);
}

static void retire(uint64_t now_ns)
{
	struct pair **at = &tls.pair->older;

	while (*at) {
		struct pair *p = *at;

		if (!p->retired_ns)
			p->retired_ns = now_ns;
		if (p->retired_ns + RETIRED_NS > now_ns) {
			at = &p->older;
			continue;
		}
		*at = p->older;
		pair_free(p);
	}
}

int hf_tls_reload(uint64_t now_ns, struct hf_err *e)
{
	gnutls_datum_t chain = { NULL, 0 }, key = { NULL, 0 };
	struct pair *p = calloc(1, sizeof(*p));
	int ret = p ? 0 : hf_fail(e, -ENOMEM, "out of memory");

	if (!ret)
		ret = place_read(&tls.certificate, &chain, e);
	if (!ret)
		ret = place_read(&tls.key, &key, e);
	if (!ret)
		ret = pair_import(p, &chain, &key, e);
	free(chain.data);
	if (key.data)
		explicit_bzero(key.data, key.size);
	free(key.data);
	if (ret) {
		if (p)
			pair_free(p);
		return ret;
	}
	p->older = tls.pair;
	tls.pair = p;
	retire(now_ns);
	return 0;
}

int hf_tls_open(const char *certificate, const char *key, uint64_t now_ns, struct hf_err *e)
{
	int ret = place_open(&tls.certificate, certificate, e);

	if (!ret)
		ret = place_open(&tls.key, key, e);
	if (!ret)
		ret = hf_tls_reload(now_ns, e);
	if (ret)
		hf_tls_close();
	return ret;
}

void hf_tls_close(void)
{
	struct place *places[] = { &tls.certificate, &tls.key };

	while (tls.pair) {
		struct pair *p = tls.pair;

		tls.pair = p->older;
		pair_free(p);
	}
	for (int i = 0; i < 2; i++) {
		if (places[i]->dirfd >= 0)
			close(places[i]->dirfd);
		free(places[i]->path);
		*places[i] = (struct place){ .dirfd = -1 };
	}
}

static bool place_changed(const struct place *p)
{
	struct stat st;

	/* While it is being replaced it may be away. */
	if (fstatat(p->dirfd, p->name, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	return st.st_ino != p->seen.st_ino || st.st_size != p->seen.st_size ||
	       st.st_mtim.tv_sec != p->seen.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != p->seen.st_mtim.tv_nsec;
}

bool hf_tls_changed(void)
{
	return place_changed(&tls.certificate) || place_changed(&tls.key);
}

int64_t hf_tls_expires_s(void)
{
	return tls.pair->expires_s;
}

int hf_tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		    gnutls_pcert_st **certs, unsigned int *n_certs, gnutls_ocsp_data_st **ocsp,
		    unsigned int *n_ocsp, gnutls_privkey_t *key, unsigned int *flags)
{
	(void)session;
	(void)info;
	*certs = tls.pair->certs;
	*n_certs = tls.pair->n_certs;
	*ocsp = NULL;
	*n_ocsp = 0;
	*key = tls.pair->key;
	*flags = 0;	/* all of it stays ours */
	return 0;
}
