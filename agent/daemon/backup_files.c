// SPDX-License-Identifier: GPL-2.0
/*
 * Files of a backup. Which there are, their owners say: each process for its own
 * folder, the parent for the configuration; what they say is checked here.
 */
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

unsigned int hf_backup_of_config(const char *name)
{
	return strlen(name) == 11 && strspn(name, "0123456789") == 6 &&
	       (!strcmp(name + 6, ".yaml") || !strcmp(name + 6, ".json"));
}

static const char *folder_of(enum hf_proc owner)
{
	return owner == HF_PROC_PARENT ? "config" : hf_proc_name(owner);
}

static struct hf_backup_file *list_grow(struct hf_backup_list *l)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *grown = room > HF_ARCHIVE_MEMBERS * 2 ? NULL :
			      realloc(l->files, room * sizeof(*l->files));

		if (!grown)
			return NULL;
		l->files = grown;
		l->room = room;
	}
	return &l->files[l->count];
}

static int file_add(struct hf_backup_list *l, enum hf_proc owner, const char *name, json_int_t size,
		    struct hf_err *e)
{
	bool snapshot = owner == HF_PROC_AUTH && !strcmp(name, HF_BACKUP_SNAPSHOT);
	struct hf_backup_file *f = list_grow(l);

	if (!f)
		return hf_fail(e, -EFBIG, "%s: too many files", folder_of(owner));
	f->owner = owner;
	if (snprintf(f->source, sizeof(f->source), "%s", name) >= (int)sizeof(f->source) ||
	    snprintf(f->name, sizeof(f->name), "%s/%s", folder_of(owner),
		     snapshot ? "users.db" : name) >= (int)sizeof(f->name))
		return hf_fail(e, -ENAMETOOLONG, "%s/%s: too long a name", folder_of(owner), name);
	if (!hf_archive_name_ok(f->name))
		return hf_fail(e, -EPROTO, "%s/%s: is no name for an archive", folder_of(owner),
			       name);
	l->bytes += (uint64_t)size;
	l->count++;
	return 0;
}

int hf_backup_add(struct hf_backup_list *list, enum hf_proc owner, const json_t *page,
		  struct hf_err *e)
{
	const json_t *files = json_object_get(page, "files"), *f;
	int ret = json_is_array(files) ? 0 : -EPROTO;
	size_t i;

	for (i = 0; !ret && i < json_array_size(files); i++) {
		const char *name;
		json_int_t size;

		f = json_array_get(files, i);
		name = json_string_value(json_object_get(f, "name"));
		size = json_integer_value(json_object_get(f, "size"));
		ret = name && size >= 0 && size <= (json_int_t)HF_ARCHIVE_MEMBER_MAX ?
		      file_add(list, owner, name, size, e) : -EPROTO;
	}
	if (ret == -EPROTO)
		hf_fail(e, ret, "%s: no list of files", folder_of(owner));
	return ret;
}

const char *hf_backup_last(const struct hf_backup_list *list, enum hf_proc owner)
{
	const struct hf_backup_file *f = list->count ? &list->files[list->count - 1] : NULL;

	return f && f->owner == owner ? f->source : "";
}

void hf_backup_list_free(struct hf_backup_list *list)
{
	free(list->files);
	*list = (struct hf_backup_list){ 0 };
}

int hf_backup_check(int fd, uint64_t *size, struct hf_err *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || (flags & (O_ACCMODE | O_PATH)) != O_RDONLY || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode))
		return hf_fail(e, -EPROTO, "is no regular file to be read");
	*size = (uint64_t)st.st_size;
	return 0;
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
		ret = hf_fail(e, -EIO, "%s: is no key", KEY_FILE);
		goto fail;
	}
	for (size_t i = 0; i < sizeof(pub); i++)
		snprintf(hex + 2 * i, 3, "%02x", pub[i]);
	strcat(hex, "\n");
	ret = hf_file_replace(configfd, PUB_FILE, hex, strlen(hex), 0644, e);
	if (!ret)
		return 0;
fail:
	EVP_PKEY_free(*key);
	*key = NULL;
	return ret;
}
