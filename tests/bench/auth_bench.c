// SPDX-License-Identifier: GPL-2.0
/*
 * What a log-in and a token cost: each password hash as configured by default,
 * a hash by PBKDF2, the check of a token with and without its row, a session's
 * look-up. JSON on standard output, nanoseconds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/session.h"

#define PASSWORD	"correct horse battery"

static struct hf_auth a;

static int by_value(const void *x, const void *y)
{
	uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;

	return p < q ? -1 : p > q;
}

/* Runs @fn @n times: median and the 99th percentile. */
static json_t *measure(void (*fn)(void *arg), void *arg, size_t n)
{
	uint64_t *t = calloc(n, sizeof(*t));
	json_t *j;

	if (!t)
		abort();
	fn(arg);	/* warm */
	for (size_t i = 0; i < n; i++) {
		uint64_t start = hf_mono_ns(&hf_system_clock);

		fn(arg);
		t[i] = hf_mono_ns(&hf_system_clock) - start;
	}
	qsort(t, n, sizeof(*t), by_value);
	j = json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)n, "p50_ns", (json_int_t)t[n / 2],
		      "p99_ns", (json_int_t)t[n * 99 / 100]);
	free(t);
	return j;
}

static void hash(void *arg)
{
	static const uint8_t salt[HF_PHC_SALT];
	char out[HF_PHC_LEN];

	if (hf_phc_make(arg, NULL, PASSWORD, strlen(PASSWORD), salt, out))
		abort();
}

static char token[HF_JWT_MAX], secret[HF_SESSION_SECRET];

static void verify(void *arg)
{
	struct hf_jwt_claims c;

	(void)arg;
	if (hf_jwt_verify(a.keys.k, a.keys.count, token, strlen(token),
			  (int64_t)(hf_real_ns(a.clock) / HF_S), &c, NULL))
		abort();
}

static void find_token(void *arg)
{
	struct hf_token t;
	struct hf_user u;

	(void)arg;
	if (hf_token_find(&a, token, &t, &u, NULL))
		abort();
}

static void find_session(void *arg)
{
	struct hf_session s;
	struct hf_user u;

	(void)arg;
	if (hf_session_find(&a, secret, &s, &u))
		abort();
}

static void sign(void *arg)
{
	struct hf_jwt_claims c = { .sub = "ann", .jti = "00112233445566778899aabbccddeeff", .exp_s = 600 };
	char out[HF_JWT_MAX];

	(void)arg;
	if (hf_jwt_sign(&a.keys.k[0], &c, out))
		abort();
}

static void prepare(const char *dir)
{
	struct hf_user u = { .role = HF_ROLE_USER, .uid = -1, .name = "ann" };
	struct hf_session s;
	struct hf_token t;
	struct hf_err e = { "" };

	a.clock = &hf_system_clock;
	a.random = &hf_system_random;
	a.cfg.user_idle_ns = a.cfg.user_max_ns = 3600 * HF_S;
	a.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hf_db_open(&a.db, dir, &e) || hf_keys_open(&a.keys, a.dirfd, a.random, &e) ||
	    hf_db_user_add(a.db, &u) ||
	    hf_session_begin(&a, &u, "", HF_VIA_LOCAL, &s, secret) ||
	    hf_token_issue(&a, &u, &s, "", 600, &t, token)) {
		fprintf(stderr, "auth_bench: %s\n", e.text);
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	struct hf_phc_cost argon2id = { .kdf = HF_KDF_ARGON2ID, .kib = 19456, .passes = 2 };
	struct hf_phc_cost pbkdf2 = { .kdf = HF_KDF_PBKDF2, .iterations = 600000 };
	char dir[] = "/tmp/holdfast-auth-bench-XXXXXX", cmd[80];
	json_t *j = json_object();

	if (!mkdtemp(dir) || !j)
		return EXIT_FAILURE;
	prepare(dir);
	json_object_set_new(j, "argon2id_19456KiB_2", measure(hash, &argon2id, 30));
	json_object_set_new(j, "pbkdf2_sha256_600000", measure(hash, &pbkdf2, 10));
	json_object_set_new(j, "token_sign", measure(sign, NULL, 1000));
	json_object_set_new(j, "token_verify", measure(verify, NULL, 1000));
	json_object_set_new(j, "token_check_with_row", measure(find_token, NULL, 1000));
	json_object_set_new(j, "session_check", measure(find_session, NULL, 1000));
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(j);
	hf_db_close(a.db);
	hf_keys_clear(&a.keys);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) ? EXIT_FAILURE : EXIT_SUCCESS;
}
