// SPDX-License-Identifier: GPL-2.0
/*
 * Files of a backup. What may be in it is a list of what is wanted, not of
 * what is not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "backup_files.h"
#include "file.h"

#define KEY_FILE "backup.key"
#define PUB_FILE "backup.pub"

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && !strcmp(name + n - s, suffix);
}

static bool of_config(const char *name)
{
	return strspn(name, "0123456789") == 6 &&
	       (ends_with(name, ".yaml") || ends_with(name, ".json")) && strlen(name) == 11;
}

static bool of_auth(const char *name)
{
	return !strcmp(name, HF_BACKUP_SNAPSHOT) || !strcmp(name, "secrets") ||
	       !strcmp(name, "secrets.counter");
}

static bool of_audit_notes(const char *name)
{
	return !ends_with(name, ".log") && strcmp(name, "reserve"); /* room, not records */
}

static bool of_audit_log(const char *name)
{
	return ends_with(name, ".log");
}

static bool of_keeper(const char *name)
{
	return *name;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hf_backup_file *)a)->name,
		      ((const struct hf_backup_file *)b)->name);
}

static int file_add(int statefd, struct hf_backup_list *l, const char *folder, const char *name,
		    struct hf_err *e)
{
	struct hf_backup_file *f;
	struct stat st;

	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *grown = room > HF_ARCHIVE_MEMBERS * 2 ? NULL :
							      realloc(l->files, room * sizeof(*f));

		if (!grown)
			return hf_fail(e, -EFBIG, "%s: too many files", folder);
		l->files = grown;
		l->room = room;
	}
	f = &l->files[l->count];
	if (snprintf(f->source, sizeof(f->source), "%s/%s", folder, name) >= (int)sizeof(f->source) ||
	    snprintf(f->name, sizeof(f->name), "%s/%s", folder,
		     strcmp(name, HF_BACKUP_SNAPSHOT) ? name : "users.db") >= (int)sizeof(f->name))
		return hf_fail(e, -ENAMETOOLONG, "%s/%s: too long a name", folder, name);
	if (!hf_archive_name_ok(f->name) || fstatat(statefd, f->source, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode))
		return 0; /* hidden, temporary, a socket: not state */
	l->bytes += (uint64_t)st.st_size;
	l->count++;
	return 0;
}

static int folder_add(int statefd, struct hf_backup_list *l, const char *folder,
		      bool (*wanted)(const char *name), struct hf_err *e)
{
	int fd = openat(statefd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t first = l->count;
	const struct dirent *d;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret == -ENOENT ? 0 : hf_fail(e, ret, "%s: %s", folder, strerror(-ret));
	}
	while (!ret && (d = readdir(dir)))
		if (d->d_name[0] != '.' && wanted(d->d_name))
			ret = file_add(statefd, l, folder, d->d_name, e);
	closedir(dir);
	if (!ret && l->count > first)
		qsort(l->files + first, l->count - first, sizeof(*l->files), by_name);
	return ret;
}

int hf_backup_collect(int statefd, struct hf_backup_list *list, struct hf_err *e)
{
	static const struct {
		const char *folder;
		bool (*wanted)(const char *name);
	} parts[] = {
		{ "config", of_config },     { "auth", of_auth },	{ "keeper", of_keeper },
		{ "audit", of_audit_notes }, { "audit", of_audit_log },
	};
	int ret = 0;

	*list = (struct hf_backup_list){ 0 };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !ret; i++)
		ret = folder_add(statefd, list, parts[i].folder, parts[i].wanted, e);
	if (ret)
		hf_backup_list_free(list);
	return ret;
}

void hf_backup_list_free(struct hf_backup_list *list)
{
	free(list->files);
	*list = (struct hf_backup_list){ 0 };
}

int hf_backup_open(int statefd, const char *source, uint64_t *size, struct hf_err *e)
{
	struct stat st;
	char folder[HF_ARCHIVE_NAME];
	const char *file = strchr(source, '/') + 1;
	int dir, fd;

	snprintf(folder, sizeof(folder), "%.*s", (int)(file - source - 1), source);
	dir = openat(statefd, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return hf_fail(e, -errno, "%s: %s", folder, strerror(errno));
	fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return hf_fail(e, -errno, "%s: %s", source, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1) {
		close(fd);
		return hf_fail(e, -EPERM, "%s: is no regular file with one name", source);
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/* ------------------------------------------------------------------ the key */

static int key_new(int configfd, uint8_t seed[HF_ED25519_BYTES], struct hf_err *e)
{
	if (RAND_priv_bytes(seed, HF_ED25519_BYTES) != 1)
		return hf_fail(e, -EIO, "no randomness for a key");
	return hf_file_replace(configfd, KEY_FILE, seed, HF_ED25519_BYTES, 0600, e);
}

static int key_load(int configfd, uint8_t seed[HF_ED25519_BYTES], struct hf_err *e)
{
	char *data = NULL;
	size_t len = 0;
	int ret = hf_file_read(configfd, KEY_FILE, HF_ED25519_BYTES, &data, &len, e);

	if (ret == -ENOENT)
		return key_new(configfd, seed, e);
	if (!ret && len != HF_ED25519_BYTES)
		ret = hf_fail(e, -EINVAL, "%s: %zu bytes; wanted: %d", KEY_FILE, len,
			      HF_ED25519_BYTES);
	if (!ret)
		memcpy(seed, data, len);
	if (data)
		OPENSSL_cleanse(data, len);
	free(data);
	return ret;
}

int hf_backup_key(int configfd, EVP_PKEY **key, struct hf_err *e)
{
	uint8_t seed[HF_ED25519_BYTES], pub[HF_ED25519_BYTES];
	char hex[2 * HF_ED25519_BYTES + 2];
	size_t len = sizeof(pub);
	int ret = key_load(configfd, seed, e);

	if (ret)
		return ret;
	*key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	OPENSSL_cleanse(seed, sizeof(seed));
	if (!*key || EVP_PKEY_get_raw_public_key(*key, pub, &len) != 1) {
		EVP_PKEY_free(*key);
		return hf_fail(e, -EIO, "%s: is no key", KEY_FILE);
	}
	for (size_t i = 0; i < sizeof(pub); i++)
		snprintf(hex + 2 * i, 3, "%02x", pub[i]);
	strcat(hex, "\n");
	ret = hf_file_replace(configfd, PUB_FILE, hex, strlen(hex), 0644, e);
	if (ret)
		EVP_PKEY_free(*key);
	return ret;
}
