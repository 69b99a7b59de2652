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

/* What the parent would have of a folder, page by page. */
static void collect(struct hf_backup_list *l, enum hf_proc owner, hf_handover_fn wanted)
{
	json_t *page;
	bool more = true;

	while (more) {
		cr_assert_eq(hf_handover_list(dir, wanted, hf_backup_last(l, owner), &page, &err), 0,
			     "%s", err.text);
		cr_assert_eq(hf_backup_add(l, owner, page, &err), 0, "%s", err.text);
		more = json_is_true(json_object_get(page, "more"));
		cr_assert_leq(json_array_size(json_object_get(page, "files")), HF_HANDOVER_PAGE);
		json_decref(page);
	}
}

static unsigned int all(const char *name)
{
	return strcmp(name, "not");
}

/* As that of audit: what says how long the log is comes first. */
static unsigned int logs_last(const char *name)
{
	return strstr(name, ".log") ? 2 : 1;
}

Test(backup, versions_of_the_configuration_are_taken_and_no_key_is)
{
	static const char *const left[] = {
		"backup.key", "backup.pub", "000001.yaml.tmp", "restored", "1.yaml", ".000001.yaml",
	};
	struct hf_backup_list l = { 0 };

	add("a: 1\n");
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		put(left[i], "x");
	collect(&l, HF_PROC_PARENT, hf_backup_of_config);
	cr_assert_eq(l.count, 2);
	cr_expect_str_eq(l.files[0].name, "config/000001.json");
	cr_expect_str_eq(l.files[1].name, "config/000001.yaml");
	cr_expect_gt(l.bytes, 5);
	hf_backup_list_free(&l);
}

Test(backup, only_regular_files_in_their_order)
{
	struct hf_backup_list l = { 0 };

	put("a.log", "12345");
	put("b.cp", "1");
	put(".hidden", "x");
	cr_assert_eq(symlinkat("/etc/passwd", dir, "link"), 0);
	cr_assert_eq(mkdirat(dir, "folder", 0700), 0);
	collect(&l, HF_PROC_AUDIT, logs_last);
	cr_assert_eq(l.count, 2);
	cr_expect_str_eq(l.files[0].name, "audit/b.cp");
	cr_expect_str_eq(l.files[1].name, "audit/a.log");
	cr_expect_eq(l.bytes, 6);
	hf_backup_list_free(&l);
}

Test(backup, the_copy_of_the_data_base_gets_its_name)
{
	struct hf_backup_list l = { 0 };

	put(HF_BACKUP_SNAPSHOT, "copy");
	collect(&l, HF_PROC_AUTH, all);
	cr_assert_eq(l.count, 1);
	cr_expect_str_eq(l.files[0].name, "auth/users.db");
	cr_expect_str_eq(l.files[0].source, HF_BACKUP_SNAPSHOT);
	hf_backup_list_free(&l);
}

Test(backup, many_files_come_page_by_page_each_once)
{
	struct hf_backup_list l = { 0 };
	char name[32];

	for (int i = 0; i < 2 * HF_HANDOVER_PAGE + 3; i++) {
		snprintf(name, sizeof(name), "f%04d%s", i, i % 2 ? ".log" : "");
		put(name, "1");
	}
	collect(&l, HF_PROC_AUDIT, logs_last);
	cr_assert_eq(l.count, 2 * HF_HANDOVER_PAGE + 3);
	for (size_t i = 1; i < l.count; i++) {
		unsigned int a = logs_last(l.files[i - 1].source), b = logs_last(l.files[i].source);

		cr_assert(a < b || (a == b && strcmp(l.files[i - 1].source, l.files[i].source) < 0));
	}
	hf_backup_list_free(&l);
}

Test(backup, an_owner_that_lies_is_refused)
{
	static const char *const pages[] = {
		"{}", "{\"files\":[{}]}", "{\"files\":[{\"name\":\"a\",\"size\":-1}]}",
		"{\"files\":[{\"name\":\"../a\",\"size\":1}]}",
		"{\"files\":[{\"name\":\"b/a\",\"size\":1}]}",
		"{\"files\":[{\"name\":\".a\",\"size\":1}]}",
		"{\"files\":[{\"name\":7,\"size\":1}]}",
	};
	struct hf_backup_list l = { 0 };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		json_t *page = json_loads(pages[i], 0, NULL);

		cr_expect_eq(hf_backup_add(&l, HF_PROC_KEEPER, page, &err), -EPROTO, "%s", pages[i]);
		json_decref(page);
	}
	cr_expect_eq(l.count, 0);
	hf_backup_list_free(&l);
}

Test(backup, what_is_handed_over_is_a_file_of_that_folder_with_one_name)
{
	int fd;

	put("a", "abc");
	put("not", "x");
	fd = hf_handover_open(dir, all, "a", &err);
	cr_expect_geq(fd, 0);
	close(fd);
	cr_expect_eq(hf_handover_open(dir, all, "not", &err), -ENOENT);
	cr_expect_eq(hf_handover_open(dir, all, "gone", &err), -ENOENT);
	cr_expect_eq(hf_handover_open(dir, all, "../a", &err), -ENOENT);
	cr_expect_eq(hf_handover_open(dir, all, "/etc/passwd", &err), -ENOENT);
	cr_assert_eq(symlinkat("a", dir, "l"), 0);
	cr_expect_eq(hf_handover_open(dir, all, "l", &err), -ELOOP);
	cr_assert_eq(mkfifoat(dir, "f", 0600), 0);
	cr_expect_eq(hf_handover_open(dir, all, "f", &err), -EPERM);
	cr_assert_eq(linkat(dir, "a", dir, "b", 0), 0);
	cr_expect_eq(hf_handover_open(dir, all, "a", &err), -EPERM);
}

Test(backup, the_parent_reads_regular_files_only)
{
	uint64_t size;
	int fd[2];

	put("a", "abc");
	fd[0] = openat(dir, "a", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(hf_backup_check(fd[0], &size, &err), 0);
	cr_expect_eq(size, 3);
	close(fd[0]);
	fd[0] = openat(dir, "a", O_WRONLY | O_CLOEXEC);
	cr_expect_eq(hf_backup_check(fd[0], &size, &err), -EPROTO);
	close(fd[0]);
	cr_assert_eq(pipe(fd), 0);
	cr_expect_eq(hf_backup_check(fd[0], &size, &err), -EPROTO);
	close(fd[0]);
	close(fd[1]);
}

Test(backup, a_key_whose_public_half_cannot_be_written_is_none)
{
	EVP_PKEY *key = NULL;

	cr_assert_eq(mkdirat(dir, "backup.pub", 0700), 0);
	cr_assert_lt(hf_backup_key(dir, &key, &err), 0);
	cr_assert_null(key, "freed, and the caller would free it again");
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
