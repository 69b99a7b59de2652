// SPDX-License-Identifier: GPL-2.0
/* Incidents as files (store.h): "incident-12.json". */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "log.h"
#include "store.h"

#define BYTES_MAX	(128 * 1024)
#define FILES_MAX	(4 * INC_MOST)	/* with those put aside */
#define NAME_LEN	48

/* "incident-12.json", "incident-12.json.damaged". Return: 12, 0: another file. */
static uint64_t number_of(const char *name, bool *damaged)
{
	char *end;
	uint64_t id;

	if (strncmp(name, "incident-", 9) || name[9] < '1' || name[9] > '9')
		return 0;
	errno = 0;
	id = strtoull(name + 9, &end, 10);
	*damaged = !strcmp(end, ".json.damaged");
	return errno || id >= INT64_MAX || (!*damaged && strcmp(end, ".json") != 0) ? 0 : id;
}

static void put_aside(int dir, const char *name, const char *why)
{
	char to[NAME_LEN + 8];

	snprintf(to, sizeof(to), "%s.damaged", name);
	hf_log_app(HF_LOG_ERROR, "incident.damaged", NULL, "%s: %s; now %s", name, why, to);
	if (renameat(dir, name, dir, to))
		hf_log_app(HF_LOG_ERROR, "incident.damaged", NULL, "%s: %s", name, strerror(errno));
}

static int load_one(struct inc_engine *e, int dir, uint64_t id, const char *name, struct hf_err *err)
{
	json_error_t where;
	json_t *j;
	char *data;
	size_t len;
	int ret = hf_file_read(dir, name, BYTES_MAX, &data, &len, err);

	if (ret)
		return ret;
	j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &where);
	free(data);
	if (!j)
		ret = hf_fail(err, -EINVAL, "line %d: %s", where.line, where.text);
	else if ((uint64_t)json_integer_value(json_object_get(j, "id")) != id)
		ret = hf_fail(err, -EINVAL, "id: not that of its name");
	else
		ret = inc_load(e, j, err);
	json_decref(j);
	return ret;
}

static void load_named(struct inc_engine *e, int dir, const char *name)
{
	struct hf_err why = { "" };
	bool damaged;
	uint64_t id = number_of(name, &damaged);
	int ret;

	if (!id)
		return;
	inc_used(e, id);
	if (damaged || strlen(name) >= NAME_LEN)
		return;
	ret = load_one(e, dir, id, name, &why);
	if (ret == -EINVAL || ret == -EEXIST || ret == -EFBIG)
		put_aside(dir, name, why.text);
	else if (ret)		/* it may be read the next time */
		hf_log_app(HF_LOG_ERROR, "incident.file", NULL, "%s: %s", name, why.text);
}

int inc_store_load(struct inc_engine *e, int dir, struct hf_err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!list) {
		int ret = hf_fail(err, -errno, "incidents: %s", strerror(errno));

		if (fd >= 0)
			close(fd);
		return ret;
	}
	for (int n = 0; n < FILES_MAX && (d = readdir(list)); n++)
		load_named(e, dir, d->d_name);
	closedir(list);
	return 0;
}

int inc_store_save(int dir, const struct inc *i, struct hf_err *err)
{
	json_t *j = inc_json(i);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL, name[NAME_LEN];
	int ret;

	json_decref(j);
	if (!text)
		return hf_fail(err, -ENOMEM, "incident %" PRIu64 ": out of memory", i->id);
	snprintf(name, sizeof(name), "incident-%" PRIu64 ".json", i->id);
	ret = hf_file_replace(dir, name, text, strlen(text), 0600, err);
	free(text);
	return ret;
}

void inc_store_remove(int dir, uint64_t id)
{
	char name[NAME_LEN];

	snprintf(name, sizeof(name), "incident-%" PRIu64 ".json", id);
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		hf_log_app(HF_LOG_WARN, "incident.file", NULL, "%s: %s", name, strerror(errno));
}
