// SPDX-License-Identifier: GPL-2.0
/*
 * Checkpoints: the text that is signed, and the Ed25519 key. The private key
 * is never printed, logged or handed out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "file.h"
#include "note.h"

#define KEY_HASH	4
#define SIGNATURE	64
#define PEM_MAX		4096
#define PUB_MAX		65536
#define DASH		"\xe2\x80\x94 "	/* em dash and blank: begins a signature line */
#define PREFIX		"holdfast-audit/"

struct aud_key {
	EVP_PKEY *pkey;
	uint8_t raw[AUD_HASH];	/* public */
	uint8_t id[AUD_HASH];
	uint8_t hash[KEY_HASH];
	char name[AUD_ORIGIN];
	char text[AUD_ORIGIN + 64];
};

const char *aud_hex(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int aud_unhex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int hi = hex_digit(text[2 * i]);
		int lo = hi < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (lo < 0)
			return -EINVAL;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

/* ------------------------------------------------------------------- key */

/* Names follow from the public key: C2SP signed-note, "Ed25519 keys". */
static int key_names(struct aud_key *k, const uint8_t host[AUD_ID])
{
	uint8_t buf[AUD_ORIGIN + 2 + AUD_HASH], digest[AUD_HASH];
	char hex[AUD_HEX_ID], b64[AUD_B64(1 + AUD_HASH)], hash_hex[2 * KEY_HASH + 1];
	size_t len = AUD_HASH, name;

	if (!EVP_PKEY_get_raw_public_key(k->pkey, k->raw, &len) || len != AUD_HASH)
		return -EBADMSG;
	aud_sha256(k->id, k->raw, AUD_HASH);
	name = (size_t)snprintf(k->name, sizeof(k->name), PREFIX "%s", aud_hex(host, AUD_ID, hex));
	memcpy(buf, k->name, name);
	buf[name] = '\n';
	buf[name + 1] = 1;	/* signature type Ed25519 */
	memcpy(buf + name + 2, k->raw, AUD_HASH);
	aud_sha256(digest, buf, name + 2 + AUD_HASH);
	memcpy(k->hash, digest, KEY_HASH);
	EVP_EncodeBlock((unsigned char *)b64, buf + name + 1, 1 + AUD_HASH);
	snprintf(k->text, sizeof(k->text), "%s+%s+%s", k->name, aud_hex(k->hash, KEY_HASH, hash_hex),
		 b64);
	return 0;
}

static int key_load(struct aud_key *k, int dirfd, struct hf_err *e)
{
	char *pem;
	size_t len;
	int ret = hf_file_read(dirfd, AUD_KEY_FILE, PEM_MAX, &pem, &len, e);
	BIO *bio;

	if (ret)
		return ret;
	bio = BIO_new_mem_buf(pem, (int)len);
	k->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	OPENSSL_cleanse(pem, len);
	free(pem);
	if (!k->pkey || EVP_PKEY_get_id(k->pkey) != EVP_PKEY_ED25519)
		return hf_fail(e, -EBADMSG, AUD_KEY_FILE ": not an Ed25519 key in PEM");
	return 0;
}

static int key_create(struct aud_key *k, int dirfd, struct hf_err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long len;
	int ret = -ENOMEM;

	k->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (bio && k->pkey && PEM_write_bio_PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL)) {
		len = BIO_get_mem_data(bio, &pem);
		ret = hf_file_replace(dirfd, AUD_KEY_FILE, pem, (size_t)len, 0600, e);
		OPENSSL_cleanse(pem, (size_t)len);
	}
	BIO_free(bio);
	return ret;
}

/* The public half beside it, unless it is there: earlier keys stay known. */
static int key_publish(const struct aud_key *k, int dirfd, struct hf_err *e)
{
	char *old = NULL, *text;
	size_t len = 0;
	int ret = hf_file_read(dirfd, AUD_PUB_FILE, PUB_MAX, &old, &len, e);

	if (ret && ret != -ENOENT)
		return ret;
	if (!ret && strstr(old, k->text)) {
		free(old);
		return 0;
	}
	if (asprintf(&text, "%s%s\n", ret ? "" : old, k->text) < 0) {
		free(old);
		return -ENOMEM;
	}
	free(old);
	ret = hf_file_replace(dirfd, AUD_PUB_FILE, text, strlen(text), 0644, e);
	free(text);
	return ret;
}

int aud_key_open(struct aud_key **out, int dirfd, const uint8_t host[AUD_ID], struct hf_err *e)
{
	struct aud_key *k = calloc(1, sizeof(*k));
	int ret;

	if (!k)
		return -ENOMEM;
	ret = key_load(k, dirfd, e);
	if (ret == -ENOENT)
		ret = key_create(k, dirfd, e);
	if (!ret)
		ret = key_names(k, host);
	if (!ret)
		ret = key_publish(k, dirfd, e);
	if (ret) {
		aud_key_free(k);
		return ret;
	}
	*out = k;
	return 0;
}

void aud_key_free(struct aud_key *k)
{
	if (k)
		EVP_PKEY_free(k->pkey);
	free(k);
}

const uint8_t *aud_key_id(const struct aud_key *k)
{
	return k->id;
}

const char *aud_key_text(const struct aud_key *k)
{
	return k->text;
}

const char *aud_key_name(const struct aud_key *k)
{
	return k->name;
}

/* ------------------------------------------------------------------ note */

int aud_note_sign(const struct aud_key *k, const struct aud_checkpoint *cp, struct aud_note *n)
{
	char host[AUD_HEX_ID], chain[AUD_HEX_ID];
	uint8_t sig[KEY_HASH + SIGNATURE];
	size_t sig_len = SIGNATURE;
	EVP_MD_CTX *ctx;
	int ok;

	snprintf(n->origin, sizeof(n->origin), PREFIX "%s/%s", aud_hex(cp->host, AUD_ID, host),
		 aud_hex(cp->chain, AUD_ID, chain));
	EVP_EncodeBlock((unsigned char *)n->root, cp->root, AUD_HASH);
	n->len = (size_t)snprintf(n->text, sizeof(n->text),
				  "%s\n%" PRIu64 "\n%s\ntime %" PRIu64 "\n", n->origin, cp->size,
				  n->root, cp->t_ns);
	memcpy(sig, k->hash, KEY_HASH);
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
	     EVP_DigestSign(ctx, sig + KEY_HASH, &sig_len, (const uint8_t *)n->text, n->len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -EIO;
	EVP_EncodeBlock((unsigned char *)n->signature, sig, sizeof(sig));
	n->len += (size_t)snprintf(n->text + n->len, sizeof(n->text) - n->len, "\n" DASH "%s %s\n",
				   k->name, n->signature);
	return 0;
}

/* The next line, without its end. Return: its length, -EAGAIN: no end of line. */
static ssize_t line(const char **p, const char *end, const char **start)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));

	if (!nl)
		return -EAGAIN;
	*start = *p;
	*p = nl + 1;
	return nl - *start;
}

/* The fields of @text, which has a NUL behind it. Anything but what is signed here is refused. */
static int note_fields(const char *text, struct aud_checkpoint *cp)
{
	char host[AUD_HEX_ID], chain[AUD_HEX_ID], root[AUD_B64(AUD_HASH)];
	uint8_t raw[AUD_HASH + 2];

	if (sscanf(text, PREFIX "%32[0-9a-f]/%32[0-9a-f]\n%20" SCNu64 "\n%44[A-Za-z0-9+/=]\ntime %20"
		   SCNu64, host, chain, &cp->size, root, &cp->t_ns) != 5)
		return -EBADMSG;
	if (strlen(host) != 2 * AUD_ID || strlen(chain) != 2 * AUD_ID || strlen(root) != 44 ||
	    EVP_DecodeBlock(raw, (const unsigned char *)root, 44) != AUD_HASH + 1)
		return -EBADMSG;
	memcpy(cp->root, raw, AUD_HASH);
	if (aud_unhex(host, cp->host, AUD_ID) || aud_unhex(chain, cp->chain, AUD_ID))
		return -EBADMSG;
	return 0;
}

int aud_note_read(const struct aud_key *k, const char *text, size_t len, struct aud_checkpoint *cp,
		  size_t *used)
{
	const char *p = text, *end = text + len, *s = text;
	char copy[AUD_NOTE_MAX];
	struct aud_note again;
	ssize_t n = 1;

	while (n > 0)
		n = line(&p, end, &s);	/* up to the empty line */
	if (!n)
		n = line(&p, end, &s);	/* the signature */
	if (n < 0)
		return len < AUD_NOTE_MAX ? -EAGAIN : -EBADMSG;
	*used = (size_t)(p - text);
	if (*used >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, *used);
	copy[*used] = '\0';
	/* Ed25519 is deterministic: signing again and comparing checks text and signature at once. */
	if (note_fields(copy, cp) || aud_note_sign(k, cp, &again) || again.len != *used ||
	    CRYPTO_memcmp(again.text, copy, *used))
		return -EBADMSG;
	return 0;
}
