// SPDX-License-Identifier: GPL-2.0
/*
 * Archives: what was written is read back; every flip, every cut, everything
 * else that tar can say, is refused and writes nothing outside of its folder.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "archive_tar.h"

static char folder[32];
static int dir = -1, fd = -1;
static EVP_PKEY *key;
static uint8_t pub[HF_ED25519_BYTES];
static struct hf_err err;

static void begin(void)
{
	uint8_t seed[HF_ED25519_BYTES] = { 1, 2, 3 };
	size_t len = sizeof(pub);

	strcpy(folder, "/tmp/hf-archive-XXXXXX");
	cr_assert(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, "a.tar", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	cr_assert(dir >= 0 && fd >= 0 && EVP_PKEY_get_raw_public_key(key, pub, &len) == 1);
}

static void end(void)
{
	char cmd[64];

	EVP_PKEY_free(key);
	close(fd);
	close(dir);
	snprintf(cmd, sizeof(cmd), "rm -r %s", folder);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(archive, .init = begin, .fini = end, .timeout = 300);

struct part {
	const char *name, *data;
};

static const struct part parts[] = {
	{ "config/000001.yaml", "environment: test\n" },
	{ "auth/secrets", "" },
	{ "audit/audit-00000001.log", "some records" },
	{ NULL, NULL },
};

static void write_parts(const struct part *p)
{
	struct hf_archive_writer w;

	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_eq(hf_archive_begin(&w, fd, 1700000000), 0);
	for (; p->name; p++) {
		size_t len = strlen(p->data);

		cr_assert_eq(hf_archive_member(&w, p->name, len, &err), 0, "%s", err.text);
		for (size_t i = 0; i < len; i++)
			cr_assert_eq(hf_archive_data(&w, p->data + i, 1, &err), 0);
	}
	cr_assert_eq(hf_archive_finish(&w, json_pack("{s:s}", "host", "h"), key, &err), 0);
	hf_archive_free(&w);
}

static uint8_t *all(size_t *len)
{
	off_t n = lseek(fd, 0, SEEK_END);
	uint8_t *data = malloc((size_t)n);

	*len = (size_t)n;
	cr_assert_eq(pread(fd, data, *len, 0), n);
	return data;
}

static void put_all(const uint8_t *data, size_t len)
{
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(pwrite(fd, data, len, 0), (ssize_t)len);
}

/* @data is refused by the reader and nothing is extracted from it. */
static void refused(const uint8_t *data, size_t len, const char *what, size_t at)
{
	int to;

	put_all(data, len);
	cr_assert_eq(mkdirat(dir, "to", 0700), 0);
	to = openat(dir, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_expect_eq(hf_archive_extract(fd, pub, to, NULL, &err), -EBADMSG, "%s at %zu: accepted",
		     what, at);
	close(to);
	cr_expect_eq(unlinkat(dir, "to", AT_REMOVEDIR), 0, "%s at %zu: something was written", what,
		     at);
}

Test(archive, what_was_written_is_read_back)
{
	json_t *manifest = NULL;
	char data[64];
	int to, in;

	write_parts(parts);
	cr_assert_eq(hf_archive_verify(fd, pub, &manifest, &err), 0, "%s", err.text);
	cr_expect_str_eq(json_string_value(json_object_get(manifest, "host")), "h");
	cr_expect_eq(json_array_size(json_object_get(manifest, "members")), 3);
	json_decref(manifest);
	cr_assert_eq(mkdirat(dir, "to", 0700), 0);
	to = openat(dir, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(hf_archive_extract(fd, pub, to, NULL, &err), 0, "%s", err.text);
	for (const struct part *p = parts; p->name; p++) {
		struct stat st;

		in = openat(to, p->name, O_RDONLY | O_CLOEXEC);
		cr_assert_geq(in, 0);
		cr_expect_eq(read(in, data, sizeof(data)), (ssize_t)strlen(p->data));
		cr_expect_eq(memcmp(data, p->data, strlen(p->data)), 0);
		cr_assert_eq(fstat(in, &st), 0);
		cr_expect_eq(st.st_mode & 07777, 0600U);
		close(in);
	}
	/* never over something that is there */
	cr_expect_eq(hf_archive_extract(fd, pub, to, NULL, &err), -EEXIST);
	close(to);
}

Test(archive, tar_reads_it)
{
	char cmd[128];

	write_parts(parts);
	snprintf(cmd, sizeof(cmd), "test $(tar -tf %s/a.tar | wc -l) = 5", folder);
	cr_expect_eq(system(cmd), 0);
}

Test(archive, every_flip_and_every_cut_is_found)
{
	uint8_t *good, *bad;
	size_t len;

	write_parts(parts);
	good = all(&len);
	bad = malloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, good, len);
		bad[i] ^= (uint8_t)(1 << i % 8);
		refused(bad, len, "flip", i);
	}
	for (size_t i = 0; i < len; i += i < 600 || len - i < 1200 ? 1 : 64)
		refused(good, i, "cut", i);
	memcpy(bad, good, len);
	bad[len] = 0;
	refused(bad, len + 1, "longer", len);
	free(good);
	free(bad);
}

Test(archive, another_key_is_refused)
{
	uint8_t other[HF_ED25519_BYTES];

	write_parts(parts);
	memcpy(other, pub, sizeof(other));
	other[0] ^= 1;
	cr_expect_eq(hf_archive_verify(fd, other, NULL, &err), -EBADMSG);
}

Test(archive, names_that_lead_elsewhere_are_refused)
{
	static const char *const names[] = {
		"",
		"/",
		"a",
		"/etc/passwd",
		"config",
		"config/",
		"config/..",
		"config/.",
		"config/.x",
		"config/a/b",
		"../config/a",
		"config/../../a",
		"other/a",
		"CONFIG/a",
		"config//a",
		"config/a b",
		"config/a\nb",
		"config/\xc3\xa4",
		"MANIFEST",
		"audit/../config/x",
		"config\\a",
		"config/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct hf_archive_writer w;

	cr_assert_eq(hf_archive_begin(&w, fd, 1), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cr_expect(!hf_archive_name_ok(names[i]), "%s", names[i]);
		cr_expect_eq(hf_archive_member(&w, names[i], 1, &err), -EINVAL);
	}
	cr_expect_eq(hf_archive_member(&w, "config/a", HF_ARCHIVE_MEMBER_MAX, &err), -EFBIG);
	hf_archive_free(&w);
}

/*
 * Somebody who has the key (a stolen host) can sign what he likes: so each of these
 * is signed correctly, and refused for what it is. @edit changes one member's header.
 */
static void hostile_header(const char *what, void (*edit)(uint8_t *header))
{
	uint8_t *data;
	unsigned int sum = 0;
	size_t len;

	write_parts(parts);
	data = all(&len);
	edit(data);
	memset(data + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += data[i];
	snprintf((char *)data + 148, 8, "%06o", sum);
	data[155] = ' ';
	refused(data, len, what, 0);
	free(data);
}

static void to_symlink(uint8_t *h)
{
	h[156] = '2';
	strcpy((char *)h + 157, "/etc/passwd");
}

static void to_hardlink(uint8_t *h)
{
	h[156] = '1';
	strcpy((char *)h + 157, "/etc/passwd");
}

static void to_folder(uint8_t *h)
{
	h[156] = '5';
}

static void to_device(uint8_t *h)
{
	h[156] = '3';
}

static void to_pax(uint8_t *h)
{
	h[156] = 'x';
}

static void to_gnu_long_name(uint8_t *h)
{
	h[156] = 'L';
}

static void to_outside(uint8_t *h)
{
	strcpy((char *)h, "config/../../x");
}

static void to_prefix(uint8_t *h)
{
	strcpy((char *)h + 345, "/etc");
}

static void to_setuid(uint8_t *h)
{
	memcpy(h + 100, "0004755", 8);
}

static void to_owner(uint8_t *h)
{
	memcpy(h + 108, "0001750", 8);
}

static void to_base256_size(uint8_t *h)
{
	h[124] = 0x80;
}

static void to_huge(uint8_t *h)
{
	memcpy(h + 124, "77777777777 ", 12);
}

Test(archive, what_else_tar_can_say_is_refused)
{
	hostile_header("symlink", to_symlink);
	hostile_header("hardlink", to_hardlink);
	hostile_header("folder", to_folder);
	hostile_header("device", to_device);
	hostile_header("pax", to_pax);
	hostile_header("long name", to_gnu_long_name);
	hostile_header("outside", to_outside);
	hostile_header("prefix", to_prefix);
	hostile_header("setuid", to_setuid);
	hostile_header("owner", to_owner);
	hostile_header("base-256 size", to_base256_size);
	hostile_header("huge", to_huge);
}

Test(archive, a_name_twice_is_refused_though_signed)
{
	static const struct part twice[] = { { "config/a", "1" },
					     { "config/a", "2" },
					     { NULL, NULL } };
	uint8_t *data;
	size_t len;

	write_parts(twice);
	data = all(&len);
	refused(data, len, "twice", 0);
	free(data);
}

Test(archive, members_may_not_be_left_unfinished_or_overfilled)
{
	struct hf_archive_writer w;

	cr_assert_eq(hf_archive_begin(&w, fd, 1), 0);
	cr_assert_eq(hf_archive_member(&w, "config/a", 2, &err), 0);
	cr_expect_eq(hf_archive_data(&w, "abc", 3, &err), -EINVAL);
	cr_assert_eq(hf_archive_data(&w, "a", 1, &err), 0);
	cr_expect_eq(hf_archive_finish(&w, json_object(), key, &err), -EINVAL);
	hf_archive_free(&w);
}
