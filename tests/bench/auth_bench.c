// SPDX-License-Identifier: GPL-2.0
/*
 * What a log-in and a token cost in the auth process itself: the password hashes
 * as configured by default beside Debian's own (yescrypt), the check of a token
 * with and without its row beside the bare signature in OpenSSL, a session's
 * look-up. JSON on standard output, nanoseconds.
 *
 * Usage: auth_bench FOLDER [SECONDS [ROUNDS [NAME]]]
 *
 * Each round runs everything (or NAME) for SECONDS; a ratio is the median of
 * what it was in each round.
 */
#include <crypt.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/session.h"

#define PASSWORD	"correct horse battery"

static struct hf_auth a;

static double seconds = 0.5;
static int rounds = 5;

static void hash(void *arg)
{
	static const uint8_t salt[HF_PHC_SALT];
	char out[HF_PHC_LEN];

	if (hf_phc_make(arg, NULL, PASSWORD, strlen(PASSWORD), salt, out))
		abort();
}

/* What a log-in to Debian itself costs. */
static void yescrypt(void *arg)
{
	static char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	static struct crypt_data data;

	(void)arg;
	if (!setting[0] && !crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)))
		abort();
	if (!crypt_r(PASSWORD, setting, &data) || data.output[0] == '*')
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

/* A signature over as many bytes as a token's, by OpenSSL alone. */
static void ed25519(void *arg)
{
	static EVP_PKEY *key;
	static uint8_t message[256], sig[64];
	size_t len = sizeof(sig);
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	(void)arg;
	if (!key) {
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		if (!key || EVP_DigestSignInit(c, NULL, NULL, NULL, key) != 1 ||
		    EVP_DigestSign(c, sig, &len, message, sizeof(message)) != 1)
			abort();
		EVP_MD_CTX_reset(c);
	}
	if (EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestVerify(c, sig, len, message, sizeof(message)) != 1)
		abort();
	EVP_MD_CTX_free(c);
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

/* ------------------------------------------------------------------ rounds */

#define ROUNDS_MAX	21
#define RUNS_MAX	20000	/* of one round */

static struct hf_phc_cost argon2id = { .kdf = HF_KDF_ARGON2ID, .kib = 19456, .passes = 2 };
static struct hf_phc_cost pbkdf2 = { .kdf = HF_KDF_PBKDF2, .iterations = 600000 };

static struct cost {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
	const char *beside;	/* the baseline of its ratio */
	uint64_t *ns;		/* of all rounds */
	size_t runs;
	double middle[ROUNDS_MAX];
} costs[] = {
	{ .name = "argon2id", .fn = hash, .arg = &argon2id, .beside = "yescrypt" },
	{ .name = "pbkdf2", .fn = hash, .arg = &pbkdf2, .beside = "yescrypt" },
	{ .name = "yescrypt", .fn = yescrypt },
	{ .name = "token_sign", .fn = sign },
	{ .name = "token_verify", .fn = verify, .beside = "ed25519" },
	{ .name = "token_check", .fn = find_token, .beside = "ed25519" },
	{ .name = "session_check", .fn = find_session, .beside = "token_check" },
	{ .name = "ed25519", .fn = ed25519 },
};

#define COSTS	(sizeof(costs) / sizeof(costs[0]))

static int by_value(const void *x, const void *y)
{
	uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;

	return p < q ? -1 : p > q;
}

static int by_double(const void *x, const void *y)
{
	double p = *(const double *)x, q = *(const double *)y;

	return p < q ? -1 : p > q;
}

static void run(struct cost *c, int round)
{
	uint64_t begin = hf_mono_ns(&hf_system_clock), now = begin, *ns = c->ns + c->runs;
	size_t n = 0;

	while (n < RUNS_MAX && (n < 3 || (double)(now - begin) < seconds * 1e9)) {
		uint64_t start = now;

		c->fn(c->arg);
		now = hf_mono_ns(&hf_system_clock);
		ns[n++] = now - start;
	}
	qsort(ns, n, sizeof(*ns), by_value);
	c->middle[round] = (double)ns[n / 2];
	c->runs += n;
}

static json_t *cost_json(struct cost *c)
{
	qsort(c->ns, c->runs, sizeof(*c->ns), by_value);
	return json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)c->runs,
			 "p50_ns", (json_int_t)c->ns[c->runs / 2],
			 "p99_ns", (json_int_t)c->ns[c->runs * 99 / 100]);
}

static void ratio(json_t *to, const struct cost *c)
{
	const struct cost *base = costs;
	double v[ROUNDS_MAX];
	char name[64];

	while (strcmp(base->name, c->beside))
		base++;
	for (int r = 0; r < rounds; r++)
		v[r] = c->middle[r] / base->middle[r];
	qsort(v, (size_t)rounds, sizeof(*v), by_double);
	snprintf(name, sizeof(name), "%s_vs_%s", c->name, base->name);
	json_object_set_new(to, name, json_real((double)(int64_t)(v[rounds / 2] * 1000 + 0.5) / 1000));
}

static void report(const char *only)
{
	json_t *all = json_object(), *ratios = json_object(), *j;

	for (struct cost *c = costs; c < costs + COSTS; c++) {
		if (c->runs)
			json_object_set_new(all, c->name, cost_json(c));
		if (!only && c->beside)
			ratio(ratios, c);
	}
	j = json_pack("{s:i, s:o, s:o}", "rounds", rounds, "costs", all, "ratios", ratios);
	json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(j);
}

static bool known(const char *name)
{
	for (size_t i = 0; i < COSTS; i++)
		if (!strcmp(costs[i].name, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *only = argc > 4 ? argv[4] : NULL;
	char dir[512];

	if (argc > 2)
		seconds = atof(argv[2]);
	if (argc > 3)
		rounds = atoi(argv[3]);
	if (argc < 2 || argc > 5 || seconds <= 0 || rounds < 1 || rounds > ROUNDS_MAX ||
	    (only && !known(only))) {
		fputs("usage: auth_bench FOLDER [SECONDS [ROUNDS [NAME]]]\n", stderr);
		return 64;
	}
	snprintf(dir, sizeof(dir), "%s/auth-XXXXXX", argv[1]);
	if (!mkdtemp(dir)) {
		perror(dir);
		return EXIT_FAILURE;
	}
	prepare(dir);
	for (size_t i = 0; i < COSTS; i++) {
		costs[i].ns = calloc((size_t)rounds * RUNS_MAX, sizeof(*costs[i].ns));
		if (!costs[i].ns)
			abort();
	}
	for (int r = 0; r < rounds; r++)
		for (size_t i = 0; i < COSTS; i++)
			if (!only || !strcmp(only, costs[i].name))
				run(&costs[i], r);
	report(only);
	hf_db_close(a.db);
	hf_keys_clear(&a.keys);
	return EXIT_SUCCESS;
}
