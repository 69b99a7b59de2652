// SPDX-License-Identifier: GPL-2.0
/*
 * What the keeper keeps over restarts: what tenants have used, and up to which
 * event the audit log has them. One small file, replaced whole by the helper
 * thread: the loop never waits for a disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "keeper.h"

#define FILE_NAME	"state.json"
#define DAMAGED_NAME	"state.json.damaged"
#define BYTES_MAX	(4 * 1024 * 1024)
#define EVERY_NS	(2 * HF_S)

struct mark {
	uint64_t instance, seq;
};

/**
 * struct hf_store - the file and what is to be in it
 * @mark:	a ring: the oldest registration is forgotten
 * @written:	text that is in the file
 * @text:	text that the helper thread is writing; NULL: none
 * @error:	of the last write: 0 or -errno
 */
struct hf_store {
	int dir;
	size_t next;
	struct mark mark[HF_RECORDERS];
	char *written, *text;
	uint64_t due_ns;
	int error;
	struct hf_err why;
};

void hf_store_mark(struct hf_keeper *k, uint64_t instance, uint64_t seq)
{
	struct hf_store *s = k->store;

	for (size_t i = 0; s && i < HF_RECORDERS; i++) {
		if (s->mark[i].instance != instance)
			continue;
		s->mark[i].seq = seq;
		return;
	}
	if (s)
		s->mark[s->next++ % HF_RECORDERS] = (struct mark){ instance, seq };
}

uint64_t hf_store_recorded(struct hf_keeper *k, uint64_t instance)
{
	for (size_t i = 0; k->store && i < HF_RECORDERS; i++)
		if (k->store->mark[i].instance == instance)
			return k->store->mark[i].seq;
	return 0;
}

static json_t *marks_json(struct hf_keeper *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < HF_RECORDERS; i++)
		if (k->recorder[i])
			hf_store_mark(k, k->recorder[i]->instance, k->recorder[i]->durable_seq);
	for (size_t i = 0; list && i < HF_RECORDERS; i++)
		if (k->store->mark[i].instance)
			json_array_append_new(list,
					      json_pack("{s:o, s:I}", "instance",
							hf_hex_json(k->store->mark[i].instance),
							"seq", (json_int_t)k->store->mark[i].seq));
	return list;
}

static void marks_restore(struct hf_keeper *k, const json_t *list)
{
	const json_t *j;
	size_t i;

	json_array_foreach((json_t *)list, i, j) {
		const char *instance = json_string_value(json_object_get(j, "instance"));
		json_int_t seq = json_integer_value(json_object_get(j, "seq"));

		if (instance && seq > 0)
			hf_store_mark(k, strtoull(instance, NULL, 16), (uint64_t)seq);
	}
}

static char *state_text(struct hf_keeper *k)
{
	json_t *j = json_pack("{s:i, s:o, s:o}", "version", 1, "tenants", hf_quota_state(k),
			      "recorded", marks_json(k));
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(j);
	return text;
}

/* In the helper thread: of the store it reads @dir and @text, and writes @error and @why. */
static void write_run(void *arg)
{
	struct hf_store *s = arg;

	s->error = hf_file_replace(s->dir, FILE_NAME, s->text, strlen(s->text), 0600, &s->why);
}

static void write_done(void *arg)
{
	struct hf_store *s = arg;

	if (s->error) {
		hf_log_app(HF_LOG_ERROR, "keeper.state", NULL, "%s", s->why.text);
		free(s->text);
	} else {
		free(s->written);
		s->written = s->text;
	}
	s->text = NULL;
}

static void write_out(struct hf_keeper *k)
{
	struct hf_store *s = k->store;
	struct hf_job job = { write_run, write_done, s };

	s->text = state_text(k);
	if (s->text && s->written && !strcmp(s->text, s->written)) {
		free(s->text);
		s->text = NULL;
	} else if (s->text && hf_worker_give(k->worker, &job)) {
		free(s->text);
		s->text = NULL;
	}
}

void hf_store_tick(struct hf_keeper *k)
{
	struct hf_store *s = k->store;

	if (!s || s->text || hf_now(k) < s->due_ns)
		return;
	s->due_ns = hf_now(k) + EVERY_NS;
	write_out(k);
}

/* A file that cannot be understood is kept for people, and nothing is taken from it. */
static void damaged(struct hf_store *s, const char *why)
{
	hf_log_sec(HF_LOG_ERROR, "keeper.state", NULL,
		   "%s: %s: put aside as %s; what tenants have used is counted from 0", FILE_NAME,
		   why, DAMAGED_NAME);
	renameat(s->dir, FILE_NAME, s->dir, DAMAGED_NAME);
}

static int state_read(struct hf_keeper *k, struct hf_err *e)
{
	json_error_t je;
	char *text;
	size_t len;
	json_t *j;
	int ret = hf_file_read(k->store->dir, FILE_NAME, BYTES_MAX, &text, &len, e);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	free(text);
	if (json_integer_value(json_object_get(j, "version")) != 1) {
		damaged(k->store, j ? "not version 1" : je.text);
	} else {
		hf_quota_restore(k, json_object_get(j, "tenants"));
		marks_restore(k, json_object_get(j, "recorded"));
	}
	json_decref(j);
	return 0;
}

int hf_store_open(struct hf_keeper *k, const char *path, struct hf_err *e)
{
	struct hf_store *s = calloc(1, sizeof(*s));

	if (!s)
		return hf_fail(e, -ENOMEM, "out of memory");
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0) {
		int ret = -errno;

		free(s);
		return hf_fail(e, ret, "%s: %s", path, strerror(-ret));
	}
	k->store = s;
	return state_read(k, e);
}

int hf_store_folder(const struct hf_keeper *k)
{
	return k->store ? k->store->dir : -1;
}

/* The last word; the worker is gone, so that this writes by itself. */
void hf_store_close(struct hf_keeper *k)
{
	struct hf_store *s = k->store;

	if (!s)
		return;
	s->text = state_text(k);
	if (s->text) {
		write_run(s);
		write_done(s);
	}
	close(s->dir);
	free(s->written);
	free(s);
	k->store = NULL;
}

json_t *hf_store_json(const struct hf_keeper *k)
{
	if (!k->store || !k->store->error)
		return json_string("ok");
	return json_string(strerror(-k->store->error));
}
