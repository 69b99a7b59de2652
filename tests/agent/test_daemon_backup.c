// SPDX-License-Identifier: GPL-2.0
/*
 * Versions of the configuration on disk, and which files a backup takes.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup_files.h"
#include "config_store.h"
#include "file.h"

static char folder[32];
static int dir = -1;
static struct hf_err err;

static void begin(void)
{
	strcpy(folder, "/tmp/hf-backup-XXXXXX");
	cr_assert(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void end(void)
{
	char cmd[64];

	close(dir);
	snprintf(cmd, sizeof(cmd), "rm -r %s", folder);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(backup, .init = begin, .fini = end, .timeout = 60);

static uint32_t add(const char *text)
{
	uint32_t version = 0;

	cr_assert_eq(hf_versions_add(dir, text, strlen(text), "ann", "why", 7, &version, &err), 0,
		     "%s", err.text);
	return version;
}

static void put(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(backup, versions_are_kept_in_order_and_the_same_text_once)
{
	json_t *list;
	char *text;
	size_t len;

	cr_expect_eq(add("a: 1\n"), 1);
	cr_expect_eq(add("a: 1\n"), 1);
	cr_expect_eq(add("a: 2\n"), 2);
	cr_expect_eq(add("a: 1\n"), 3);
	list = hf_versions_list(dir);
	cr_assert_eq(json_array_size(list), 3);
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(list, 0), "version")), 3);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(list, 2), "actor")),
			 "ann");
	json_decref(list);
	cr_assert_eq(hf_versions_read(dir, 2, &text, &len, &err), 0);
	cr_expect_str_eq(text, "a: 2\n");
	free(text);
	cr_expect_eq(hf_versions_read(dir, 4, &text, &len, &err), -ENOENT);
	cr_expect_eq(hf_versions_read(dir, 0, &text, &len, &err), -ENOENT);
	hf_versions_drop(dir, 3);
	cr_expect_eq(hf_versions_read(dir, 3, &text, &len, &err), -ENOENT);
}

Test(backup, a_version_that_was_changed_or_cut_off_is_none)
{
	json_t *list;
	char *text;
	size_t len;

	add("a: 1\n");
	add("a: 2\n");
	put("000001.yaml", "a: 9\n");
	cr_expect_eq(hf_versions_read(dir, 1, &text, &len, &err), -EBADMSG);
	/* written without its second file: a crash in between */
	put("000003.yaml", "a: 3\n");
	list = hf_versions_list(dir);
	cr_expect_eq(json_array_size(list), 2);
	json_decref(list);
	cr_expect_eq(add("a: 4\n"), 3, "its number is free");
	cr_assert_eq(hf_versions_read(dir, 3, &text, &len, &err), 0);
	cr_expect_str_eq(text, "a: 4\n");
	free(text);
}

Test(backup, only_so_many_versions_are_kept)
{
	char text[32];
	json_t *list;

	for (int i = 0; i < HF_VERSIONS_KEPT + 3; i++) {
		snprintf(text, sizeof(text), "a: %d\n", i);
		add(text);
	}
	list = hf_versions_list(dir);
	cr_expect_eq(json_array_size(list), HF_VERSIONS_KEPT);
	json_decref(list);
	cr_expect_neq(faccessat(dir, "000001.yaml", F_OK, 0), 0);
}

static bool has(const struct hf_backup_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->files[i].name, name))
			return true;
	return false;
}

static size_t place(const struct hf_backup_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->files[i].name, name))
			return i;
	cr_assert_fail("%s is missing", name);
	return 0;
}

Test(backup, what_is_state_is_taken_and_no_key_is)
{
	static const char *const folders[] = { "config", "auth", "audit", "keeper" };
	static const char *const taken[] = {
		"config/000001.yaml",	"config/000001.json",	    "auth/secrets",
		"auth/secrets.counter", "audit/audit-00000001.log", "audit/audit-00000001.cp",
		"audit/checkpoint.pub", "audit/checkpoint.key",	    "keeper/state.json",
	};
	static const char *const left[] = {
		"config/backup.key",
		"config/backup.pub",
		"config/000001.yaml.tmp",
		"config/restored",
		"auth/users.db-journal",
		"auth/master.key",
		"auth/master.key.new",
		"auth/keys",
		"auth/setup",
		"audit/reserve",
		"audit/.x",
		"keeper/.state.json.tmp",
	};
	struct hf_backup_list l;

	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(mkdirat(dir, folders[i], 0700), 0);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		put(taken[i], "x");
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		put(left[i], "x");
	put("auth/users.db", "live");
	put("auth/" HF_BACKUP_SNAPSHOT, "copy");
	cr_assert_eq(symlinkat("/etc/passwd", dir, "keeper/link"), 0);
	cr_assert_eq(mkdirat(dir, "keeper/folder", 0700), 0);

	cr_assert_eq(hf_backup_collect(dir, &l, &err), 0, "%s", err.text);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		cr_expect(has(&l, taken[i]), "%s", taken[i]);
	cr_expect_eq(l.count, sizeof(taken) / sizeof(taken[0]) + 1);
	cr_expect_str_eq(l.files[place(&l, "auth/users.db")].source, "auth/" HF_BACKUP_SNAPSHOT);
	cr_expect_gt(place(&l, "audit/audit-00000001.log"), place(&l, "audit/audit-00000001.cp"));
	hf_backup_list_free(&l);
}

Test(backup, a_source_that_is_a_link_or_has_two_names_is_refused)
{
	uint64_t size;
	int fd;

	cr_assert_eq(mkdirat(dir, "keeper", 0700), 0);
	put("keeper/a", "abc");
	fd = hf_backup_open(dir, "keeper/a", &size, &err);
	cr_expect_geq(fd, 0);
	cr_expect_eq(size, 3);
	close(fd);
	cr_assert_eq(linkat(dir, "keeper/a", dir, "keeper/b", 0), 0);
	cr_expect_eq(hf_backup_open(dir, "keeper/a", &size, &err), -EPERM);
	cr_assert_eq(symlinkat("a", dir, "keeper/l"), 0);
	cr_expect_eq(hf_backup_open(dir, "keeper/l", &size, &err), -ELOOP);
	cr_assert_eq(symlinkat("keeper", dir, "audit"), 0);
	cr_expect_lt(hf_backup_open(dir, "audit/a", &size, &err), 0);
	cr_assert_eq(mkfifoat(dir, "keeper/f", 0600), 0);
	cr_expect_eq(hf_backup_open(dir, "keeper/f", &size, &err), -EPERM);
}

Test(backup, the_key_is_made_once_and_its_public_half_lies_beside_it)
{
	uint8_t one[HF_ED25519_BYTES], two[HF_ED25519_BYTES];
	size_t len = sizeof(one);
	struct stat st;
	EVP_PKEY *key;
	char *text;

	cr_assert_eq(hf_backup_key(dir, &key, &err), 0, "%s", err.text);
	cr_assert_eq(EVP_PKEY_get_raw_public_key(key, one, &len), 1);
	EVP_PKEY_free(key);
	cr_assert_eq(hf_backup_key(dir, &key, &err), 0);
	cr_assert_eq(EVP_PKEY_get_raw_public_key(key, two, &len), 1);
	EVP_PKEY_free(key);
	cr_expect_eq(memcmp(one, two, sizeof(one)), 0);
	cr_assert_eq(fstatat(dir, "backup.key", &st, 0), 0);
	cr_expect_eq(st.st_mode & 0777, 0600U);
	cr_assert_eq(hf_file_read(dir, "backup.pub", 128, &text, &len, &err), 0);
	cr_expect_eq(len, 2 * HF_ED25519_BYTES + 1);
	free(text);
}
