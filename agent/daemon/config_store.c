// SPDX-License-Identifier: GPL-2.0
/*
 * Versions of the configuration on disk. Knows files, not what is in them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "config.h"
#include "config_store.h"
#include "file.h"

#define META_MAX 4096
#define NAME_LEN 16

static void hash_text(const char *text, size_t len, char hex[2 * SHA256_DIGEST_LENGTH + 1])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)text, len, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static const char *file_name(char buf[NAME_LEN], uint32_t version, const char *suffix)
{
	snprintf(buf, NAME_LEN, "%06u.%s", version, suffix);
	return buf;
}

/* "000012.json" is 12; anything else 0. */
static uint32_t meta_version(const char *name)
{
	char want[NAME_LEN];
	unsigned long v = strtoul(name, NULL, 10);

	if (!v || v > HF_VERSION_MAX)
		return 0;
	return strcmp(file_name(want, (uint32_t)v, "json"), name) ? 0 : (uint32_t)v;
}

/* Newest and oldest version, and how many there are. */
struct span {
	uint32_t newest, oldest;
	unsigned int count;
};

static int span_read(int dirfd, struct span *s)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	*s = (struct span){ 0 };
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while ((d = readdir(dir))) {
		uint32_t v = meta_version(d->d_name);

		if (!v)
			continue;
		s->count++;
		s->newest = v > s->newest ? v : s->newest;
		s->oldest = !s->oldest || v < s->oldest ? v : s->oldest;
	}
	closedir(dir);
	return 0;
}

static json_t *meta_read(int dirfd, uint32_t version)
{
	char name[NAME_LEN], *text = NULL;
	json_t *meta;
	size_t len;

	if (hf_file_read(dirfd, file_name(name, version, "json"), META_MAX, &text, &len, NULL))
		return NULL;
	meta = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	return meta;
}

static bool same_as(int dirfd, uint32_t version, const char *hex)
{
	json_t *meta = version ? meta_read(dirfd, version) : NULL;
	bool same = meta && !strcmp(hf_config_text_or(meta, "sha256", ""), hex);

	json_decref(meta);
	return same;
}

static int meta_write(int dirfd, uint32_t version, const char *hex, const char *actor,
		      const char *comment, uint64_t t_ns, struct hf_err *e)
{
	json_t *meta = json_pack("{s:i, s:I, s:s, s:s, s:s}", "version", (int)version, "t_ns",
				 (json_int_t)t_ns, "actor", actor, "comment", comment, "sha256",
				 hex);
	char *text = meta ? json_dumps(meta, JSON_INDENT(1)) : NULL, name[NAME_LEN];
	int ret = -ENOMEM;

	if (text)
		ret = hf_file_replace(dirfd, file_name(name, version, "json"), text, strlen(text),
				      0600, e);
	free(text);
	json_decref(meta);
	return ret;
}

void hf_versions_drop(int dirfd, uint32_t version)
{
	char name[NAME_LEN];

	/* in this order: what is left of a cut-off removal does not exist */
	unlinkat(dirfd, file_name(name, version, "json"), 0);
	unlinkat(dirfd, file_name(name, version, "yaml"), 0);
}

int hf_versions_add(int dirfd, const char *text, size_t len, const char *actor, const char *comment,
		    uint64_t t_ns, uint32_t *version, struct hf_err *e)
{
	char hex[2 * SHA256_DIGEST_LENGTH + 1], name[NAME_LEN];
	struct span s;
	int ret = span_read(dirfd, &s);

	if (ret)
		return hf_fail(e, ret, "versions of the configuration: %s", strerror(-ret));
	hash_text(text, len, hex);
	*version = s.newest;
	if (same_as(dirfd, s.newest, hex))
		return 0;
	if (s.newest == HF_VERSION_MAX)
		return hf_fail(e, -ENOSPC, "%u versions of the configuration: no number is left",
			       s.newest);
	*version = s.newest + 1;
	ret = hf_file_replace(dirfd, file_name(name, *version, "yaml"), text, len, 0600, e);
	if (!ret)
		ret = meta_write(dirfd, *version, hex, actor, comment, t_ns, e);
	if (!ret && s.count >= HF_VERSIONS_KEPT)
		hf_versions_drop(dirfd, s.oldest);
	return ret;
}

int hf_versions_read(int dirfd, uint32_t version, char **text, size_t *len, struct hf_err *e)
{
	char name[NAME_LEN], hex[2 * SHA256_DIGEST_LENGTH + 1];
	int ret;

	if (!version || version > HF_VERSION_MAX ||
	    faccessat(dirfd, file_name(name, version, "json"), F_OK, 0))
		return hf_fail(e, -ENOENT, "there is no version %u", version);
	ret = hf_file_read(dirfd, file_name(name, version, "yaml"), HF_CONFIG_BYTES_MAX, text, len,
			   e);
	if (ret)
		return ret;
	hash_text(*text, *len, hex);
	if (same_as(dirfd, version, hex))
		return 0;
	free(*text);
	*text = NULL;
	return hf_fail(e, -EBADMSG, "version %u is not the text that was kept", version);
}

json_t *hf_versions_list(int dirfd)
{
	json_t *list = json_array();
	struct span s;

	if (span_read(dirfd, &s)) {
		json_decref(list);
		return NULL;
	}
	for (uint32_t v = s.newest; v && v >= s.oldest; v--) {
		json_t *meta = meta_read(dirfd, v);

		if (meta)
			json_array_append_new(list, meta);
	}
	return list;
}
