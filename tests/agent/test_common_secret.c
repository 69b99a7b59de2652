// SPDX-License-Identifier: GPL-2.0
/*
 * The secret store: what goes in comes out, and nothing else passes for it:
 * every flipped bit, every cut, an older version, another key, a cut-off rotation.
 * That memory is locked is not seen here: AddressSanitizer makes mlock(2) do nothing.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "secret_store.h"

static char folder[32];
static int dir = -1;
static struct hf_test_clock now;
static struct hf_master_key key;
static struct hf_err err;

static int counting(void *arg, void *buf, size_t len)
{
	uint8_t *next = arg;

	memset(buf, ++*next, len);
	return 0;
}

static uint8_t drawn;
static const struct hf_random fixed = { counting, &drawn };

static void begin(void)
{
	strcpy(folder, "/tmp/hf-secret-XXXXXX");
	cr_assert(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
	hf_test_clock_init(&now, 5, 1000);
	drawn = 0;
	cr_assert_eq(hf_master_create(dir, &fixed, &key, &err), 0, "%s", err.text);
}

static void end(void)
{
	static const char *const names[] = { "secrets",	   "secrets.counter",
					     "master.key", "master.key.new",
					     "old",	   "holdfast-master",
					     "holdfast-master-old" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	cr_expect_eq(rmdir(folder), 0, "something was left in %s", folder);
}

TestSuite(secret, .init = begin, .fini = end, .timeout = 120);

static struct hf_secrets *store(const struct hf_master_key *k, int want)
{
	struct hf_secrets *s = NULL;
	int ret = hf_secrets_open(&s, dir, k, &fixed, &now.clock, &err);

	cr_expect_eq(ret, want, "%d: %s", ret, err.text);
	return s;
}

static void has(struct hf_secrets *s, const char *name, const char *value)
{
	char buf[HF_SECRET_VALUE_MAX];
	int n = hf_secrets_get(s, name, buf, sizeof(buf));

	if (value)
		cr_expect(n == (int)strlen(value) && !memcmp(buf, value, (size_t)n), "%s: %d", name,
			  n);
	else
		cr_expect_eq(n, -ENOENT);
}

static char *file(const char *name, size_t *len)
{
	char *data;

	cr_assert_eq(hf_file_read(dir, name, 1 << 20, &data, len, &err), 0, "%s", err.text);
	return data;
}

static void file_put(const char *name, const void *data, size_t len)
{
	cr_assert_eq(hf_file_replace(dir, name, data, len, 0600, &err), 0, "%s", err.text);
}

Test(secret, what_was_set_is_there_after_a_restart)
{
	struct hf_secrets *s = store(&key, 0);
	char big[HF_SECRET_VALUE_MAX], name[16], small[2];
	json_t *list;

	memset(big, 'x', sizeof(big));
	has(s, "a", NULL);
	cr_expect_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	hf_test_clock_advance(&now, 7);
	cr_expect_eq(hf_secrets_set(s, "b", "two", 3, &err), 0);
	cr_expect_eq(hf_secrets_set(s, "a", "three", 5, &err), 0);
	cr_expect_eq(hf_secrets_set(s, "big", big, sizeof(big), &err), 0);
	hf_secrets_close(s);

	s = store(&key, 0);
	has(s, "a", "three");
	has(s, "b", "two");
	cr_expect_eq(hf_secrets_get(s, "big", big, sizeof(big)), HF_SECRET_VALUE_MAX);
	cr_expect_eq(hf_secrets_get(s, "a", small, sizeof(small)), -ENOBUFS);
	list = hf_secrets_list(s);
	cr_expect_eq(json_array_size(list), 3);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "set_ns")), 1007);
	cr_expect_eq(json_object_size(json_array_get(list, 0)), 3,
		     "a list has names and dates alone");
	json_decref(list);

	cr_expect_eq(hf_secrets_remove(s, "b", &err), 0);
	cr_expect_eq(hf_secrets_remove(s, "b", &err), -ENOENT);
	has(s, "b", NULL);
	cr_expect_eq(hf_secrets_set(s, "Bad", "x", 1, &err), -EINVAL);
	cr_expect_eq(hf_secrets_set(s, "c", "", 0, &err), -EINVAL);
	cr_expect_eq(hf_secrets_set(s, "c", big, sizeof(big) + 1, &err), -EINVAL);
	for (int i = 2; i < HF_SECRETS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		cr_expect_eq(hf_secrets_set(s, name, "x", 1, &err), 0);
	}
	cr_expect_eq(hf_secrets_set(s, "onemore", "x", 1, &err), -ENOSPC);
	cr_expect_eq(hf_secrets_set(s, "a", "still", 5, &err), 0,
		     "an old one can still be changed");
	hf_secrets_close(s);
}

Test(secret, the_file_shows_nothing_and_never_repeats_a_nonce)
{
	struct hf_secrets *s = store(&key, 0);
	char *first, *second;
	size_t len;

	cr_assert_eq(hf_secrets_set(s, "webhook", "swordfish", 9, &err), 0);
	first = file("secrets", &len);
	cr_expect_null(memmem(first, len, "swordfish", 9));
	cr_expect_null(memmem(first, len, "webhook", 7));
	cr_assert_eq(hf_secrets_set(s, "webhook", "swordfish", 9, &err), 0);
	second = file("secrets", &len);
	cr_expect_neq(memcmp(first + 16, second + 16, 12), 0);
	cr_expect_neq(memcmp(first + 28, second + 28, 20), 0);
	free(first);
	free(second);
	hf_secrets_close(s);
}

Test(secret, every_flip_and_every_cut_is_found)
{
	struct hf_secrets *s = store(&key, 0);
	size_t len;
	char *good, *bad;

	cr_assert_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	cr_assert_eq(hf_secrets_set(s, "b", "two", 3, &err), 0);
	hf_secrets_close(s);
	good = file("secrets", &len);
	bad = malloc(len);
	cr_expect_eq(hf_secrets_verify(good, len, &key, NULL, &err), 0);
	for (size_t i = 0; i < len * 8; i++) {
		memcpy(bad, good, len);
		bad[i / 8] ^= (char)(1 << i % 8);
		cr_expect_eq(hf_secrets_verify(bad, len, &key, NULL, &err), -EBADMSG, "bit %zu", i);
	}
	for (size_t i = 0; i < len; i++)
		cr_expect_eq(hf_secrets_verify(good, i, &key, NULL, &err), -EBADMSG, "cut at %zu",
			     i);
	file_put("secrets", good, len - 1);
	store(&key, -EBADMSG);
	free(good);
	free(bad);
}

Test(secret, an_older_version_is_refused)
{
	struct hf_secrets *s = store(&key, 0);
	size_t len;
	char *old;

	cr_assert_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	old = file("secrets", &len);
	cr_assert_eq(hf_secrets_set(s, "a", "two", 3, &err), 0);
	hf_secrets_close(s);
	file_put("secrets", old, len);
	store(&key, -ESTALE);
	cr_assert_eq(unlinkat(dir, "secrets", 0), 0);
	store(&key, -ESTALE);
	/* a crash between the store and its counter is no rollback */
	file_put("secrets", old, len);
	file_put("secrets.counter", "0\n", 2);
	s = store(&key, 0);
	has(s, "a", "one");
	hf_secrets_close(s);
	free(old);
	old = file("secrets.counter", &len);
	cr_expect_str_eq(old, "1\n");
	free(old);
	file_put("secrets.counter", "x\n", 2);
	store(&key, -EBADMSG);
}

Test(secret, another_key_opens_nothing)
{
	struct hf_master_key other = key;
	struct hf_secrets *s = store(&key, 0);
	uint8_t a[32], b[32];

	cr_assert_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	hf_secrets_close(s);
	other.bytes[31] ^= 1;
	store(&other, -EBADMSG);
	cr_assert_eq(hf_master_derive(&key, "one purpose", a, sizeof(a)), 0);
	cr_assert_eq(hf_master_derive(&key, "another", b, sizeof(b)), 0);
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

/* As auth does it: what is given goes before the file. */
static int master_find(const char *credentials, struct hf_master_key *found, struct hf_err *e)
{
	int ret = hf_master_given(credentials, found, e);

	return ret == -ENOENT ? hf_master_file(dir, found, e) : ret;
}

Test(secret, rotation_survives_a_crash_at_each_step)
{
	struct hf_master_key fresh = key, found;
	struct hf_secrets *s = store(&key, 0);
	size_t len, len2;
	char *before, *after;

	fresh.bytes[0] ^= 0xff;
	cr_assert_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	before = file("secrets", &len);
	cr_expect_eq(hf_secrets_rotate(s, &fresh, true, &err), 0, "%s", err.text);
	has(s, "a", "one");
	hf_secrets_close(s);
	after = file("secrets", &len2);
	cr_expect_eq(hf_secrets_verify(after, len2, &fresh, NULL, &err), 0);
	cr_expect_eq(hf_secrets_verify(after, len2, &key, NULL, &err), -EBADMSG);
	cr_assert_eq(master_find(NULL, &found, &err), 0);
	cr_expect_eq(memcmp(found.bytes, fresh.bytes, sizeof(found.bytes)), 0);

	/* cut off after the new key was written, before the store was */
	file_put("master.key", key.bytes, sizeof(key.bytes));
	file_put("master.key.new", fresh.bytes, sizeof(fresh.bytes));
	file_put("secrets", before, len);
	file_put("secrets.counter", "1\n", 2);
	s = store(&key, 0);
	has(s, "a", "one");
	hf_secrets_close(s);

	/* cut off after the store was written, before the key was put in its place */
	file_put("secrets", after, len2);
	s = store(&key, 0);
	has(s, "a", "one");
	hf_secrets_close(s);
	cr_expect_neq(faccessat(dir, "master.key.new", F_OK, 0), 0);
	cr_assert_eq(master_find(NULL, &found, &err), 0);
	cr_expect_eq(memcmp(found.bytes, fresh.bytes, sizeof(found.bytes)), 0);
	free(before);
	free(after);
}

/* A rotation that got as far as the store: it is reported as failed, and nothing is lost by that. */
Test(secret, a_rotation_without_its_counter_can_be_used)
{
	struct hf_master_key fresh = key, found;
	struct hf_secrets *s = store(&key, 0);

	fresh.bytes[0] ^= 0xff;
	cr_assert_eq(hf_secrets_set(s, "a", "one", 3, &err), 0);
	cr_assert_eq(unlinkat(dir, "secrets.counter", 0), 0);
	cr_assert_eq(mkdirat(dir, "secrets.counter", 0700), 0);
	cr_expect_lt(hf_secrets_rotate(s, &fresh, true, &err), 0);
	cr_assert_eq(unlinkat(dir, "secrets.counter", AT_REMOVEDIR), 0);
	has(s, "a", "one");
	cr_expect_eq(hf_secrets_set(s, "b", "two", 3, &err), 0, "%s", err.text);
	hf_secrets_close(s);
	cr_assert_eq(master_find(NULL, &found, &err), 0);
	s = store(&found, 0);
	has(s, "a", "one");
	has(s, "b", "two");
	hf_secrets_close(s);
}

Test(secret, the_key_before_has_a_name_of_its_own)
{
	struct hf_master_key found;
	uint8_t bytes[HF_SECRET_KEY_BYTES] = { 7 };

	file_put("holdfast-master", key.bytes, sizeof(key.bytes));
	cr_expect_eq(hf_master_given_before(folder, &found, &err), -ENOENT);
	cr_expect_eq(hf_master_given_before(NULL, &found, &err), -ENOENT);
	file_put("holdfast-master-old", bytes, sizeof(bytes));
	cr_assert_eq(hf_master_given_before(folder, &found, &err), 0, "%s", err.text);
	cr_expect_eq(found.source, HF_MASTER_CREDENTIAL);
	cr_expect_eq(memcmp(found.bytes, bytes, sizeof(bytes)), 0);
	cr_assert_eq(hf_master_given(folder, &found, &err), 0);
	cr_expect_eq(memcmp(found.bytes, key.bytes, sizeof(key.bytes)), 0);
	file_put("holdfast-master-old", bytes, sizeof(bytes) - 1);
	cr_expect_eq(hf_master_given_before(folder, &found, &err), -EINVAL);
}

Test(secret, the_master_key_is_taken_in_order_and_strictly)
{
	static const char hex[] =
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
	struct hf_master_key found;

	cr_assert_eq(hf_master_create(dir, &fixed, &found, &err), -EEXIST);
	cr_assert_eq(master_find(NULL, &found, &err), 0);
	cr_expect_eq(found.source, HF_MASTER_FILE);
	file_put("holdfast-master", hex, sizeof(hex) - 1);
	cr_assert_eq(master_find(folder, &found, &err), 0, "%s", err.text);
	cr_expect_eq(found.source, HF_MASTER_CREDENTIAL);
	cr_expect_eq(found.bytes[31], 0x1f);
	/* one that is there but unfit is an error, not a reason to take the next */
	file_put("holdfast-master", hex, 31);
	cr_expect_eq(master_find(folder, &found, &err), -EINVAL);
	file_put("holdfast-master",
		 "0001020304050607zz090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 64);
	cr_expect_eq(master_find(folder, &found, &err), -EINVAL);
	cr_assert_eq(fchmodat(dir, "master.key", 0640, 0), 0);
	cr_expect_eq(master_find(NULL, &found, &err), -EPERM);
	cr_assert_eq(unlinkat(dir, "master.key", 0), 0);
	cr_expect_eq(master_find(NULL, &found, &err), -ENOENT);
}

static long ring_put(const char *description, uint8_t first)
{
	uint8_t payload[HF_SECRET_KEY_BYTES] = { first };

	return syscall(SYS_add_key, "user", description, payload, sizeof(payload), KEY_SPEC_USER_KEYRING);
}

/* Where the kernel has no keyrings for us, there is nothing to be found there. */
Test(secret, the_keyring_comes_before_the_file)
{
	struct hf_master_key found;
	long id = ring_put("holdfast:master", 42), old;

	if (id < 0) {
		cr_assert_eq(master_find(NULL, &found, &err), 0);
		cr_expect_eq(found.source, HF_MASTER_FILE);
		cr_skip_test("no keyring: add_key gives %s", strerror(errno));
	}
	cr_expect_eq(master_find(NULL, &found, &err), 0, "%s", err.text);
	cr_expect_eq(found.source, HF_MASTER_KEYRING);
	cr_expect_eq(found.bytes[0], 42);
	cr_expect_eq(hf_master_given_before(NULL, &found, &err), -ENOENT);
	old = ring_put("holdfast:master-old", 41);
	cr_expect_eq(hf_master_given_before(NULL, &found, &err), 0, "%s", err.text);
	cr_expect_eq(found.source, HF_MASTER_KEYRING);
	cr_expect_eq(found.bytes[0], 41);
	cr_expect_eq(syscall(SYS_keyctl, KEYCTL_UNLINK, old, KEY_SPEC_USER_KEYRING), 0);
	cr_expect_eq(syscall(SYS_keyctl, KEYCTL_UNLINK, id, KEY_SPEC_USER_KEYRING), 0);
}
