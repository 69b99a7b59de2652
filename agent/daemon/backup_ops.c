// SPDX-License-Identifier: GPL-2.0
/*
 * The operation backup.create: auth makes a copy of its data base, every owner lists
 * its files and hands over one after the other, open; they are copied into one archive
 * piece by piece, between other work of the parent, who cannot open them itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backup_files.h"
#include "config.h"
#include "file.h"
#include "log.h"
#include "parent_ops.h"

#define FOLDER "backup"
#define PART ".part" /* one at a time: what a crash leaves is overwritten */
#define STEP_BYTES (1U << 20) /* copied at a time: a few milliseconds */
#define SNAPSHOT_NS (30 * HF_S)
#define OWNER_NS (10 * HF_S)

/* In the order of the archive. */
static const enum hf_proc owners[] = {
	HF_PROC_PARENT, HF_PROC_AUTH, HF_PROC_KEEPER, HF_PROC_AUDIT
};

#define OWNERS (sizeof(owners) / sizeof(owners[0]))

/**
 * struct backup - one under way
 * @listing:	of @owners
 * @asked:	an owner was asked for files[next - 1]: a HANDOVER of it is expected
 */
struct backup {
	struct parent_call call;
	struct hf_timer *timer;
	int statefd, configfd, folder, out, in;
	size_t listing;
	bool asked;
	char name[64]; /* in the folder */
	EVP_PKEY *key;
	struct hf_backup_list list;
	size_t next; /* of the list */
	uint64_t left; /* of @in */
	struct hf_archive_writer w;
	bool writing;
	char *comment;
	int64_t audit_seq; /* the log in the archive has at least this record */
	struct hf_err e;
	uint8_t piece[STEP_BYTES];
};

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void backup_free(struct backup *b)
{
	if (b->writing)
		hf_archive_free(&b->w);
	hf_backup_list_free(&b->list);
	EVP_PKEY_free(b->key);
	hf_timer_free(b->timer);
	fd_close(b->in);
	fd_close(b->out);
	if (b->folder >= 0)
		unlinkat(b->folder, PART, 0);
	fd_close(b->folder);
	fd_close(b->configfd);
	fd_close(b->statefd);
	free(b->comment);
	free(b);
	hf_parent_ops_data()->backup = NULL;
}

static void backup_fail(struct backup *b, int status, const char *code)
{
	hf_log_app(HF_LOG_ERROR, "backup", &b->call.corr, "%s", b->e.text);
	hf_call_answer(&b->call, status, hf_error_json(code, "%s", b->e.text));
	backup_free(b);
}

/* The folder of backups, and a new file there. */
static int backup_file(struct backup *b)
{
	char utc[HF_UTC_LEN];
	uint64_t now_ns = hf_real_ns(hf_parent_clock(b->call.parent));
	char *c = b->name;

	if (mkdirat(b->statefd, FOLDER, 0700) && errno != EEXIST)
		return hf_fail(&b->e, -errno, "%s: %s", FOLDER, strerror(errno));
	b->folder = openat(b->statefd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->folder < 0)
		return hf_fail(&b->e, -errno, "%s: %s", FOLDER, strerror(errno));
	/* "holdfast-20261122T184600.tar": no character that a shell or a tar dislikes */
	c += sprintf(c, "holdfast-");
	hf_utc(now_ns, utc);
	for (const char *s = utc; *s && *s != '.'; s++)
		if (*s != '-' && *s != ':')
			*c++ = *s;
	strcpy(c, ".tar");
	b->out = openat(b->folder, PART, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b->out < 0)
		return hf_fail(&b->e, -errno, PART ": %s", strerror(errno));
	b->writing = true;
	return hf_archive_begin(&b->w, b->out, now_ns / HF_S);
}

/* A backup must not take the room that the log needs. */
static int backup_room(struct backup *b)
{
	json_t *config = hf_config_json(hf_parent_config(b->call.parent));
	uint64_t keep = (uint64_t)hf_config_int(config, "audit.warn_free_bytes"), have;
	struct statvfs fs;

	json_decref(config);
	if (fstatvfs(b->folder, &fs))
		return hf_fail(&b->e, -errno, "%s: %s", FOLDER, strerror(errno));
	have = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (have < b->list.bytes + keep)
		return hf_fail(
			&b->e, -ENOSPC,
			"%llu bytes to copy and %llu that stay free for the log, but only %llu are free",
			(unsigned long long)b->list.bytes, (unsigned long long)keep,
			(unsigned long long)have);
	return 0;
}

static void backup_error(struct backup *b, int ret)
{
	if (!*b->e.text)
		hf_fail(&b->e, ret, "%s", strerror(-ret));
	if (ret == -ENOTCONN)
		backup_fail(b, 503, "unavailable");
	else
		backup_fail(b, ret == -ENOSPC ? 507 : 500, ret == -ENOSPC ? "space" : "backup");
}

/* Asks an owner that is another process; @fn: with the answer. */
static int owner_ask(struct backup *b, enum hf_proc owner, enum hf_msg type, const char *key,
		     const char *value, hf_reply_fn fn)
{
	struct hf_link *l = hf_parent_link(b->call.parent, owner);

	if (!l)
		return hf_fail(&b->e, -ENOTCONN, "%s is not there", hf_proc_name(owner));
	return hf_link_request(l, type, &b->call.corr, json_pack("{s:s}", key, value), -1,
			       hf_mono_ns(hf_parent_clock(b->call.parent)) + OWNER_NS, fn, b);
}

static void on_listed(void *arg, int status, const json_t *result)
{
	struct backup *b = arg;
	int ret;

	if (status >= 300)
		ret = hf_fail(&b->e, -EIO, "%s gives no list of its files: %s",
			      hf_proc_name(owners[b->listing]),
			      hf_config_text_or(result, "message", "no reason given"));
	else
		ret = hf_backup_add(&b->list, owners[b->listing], result, &b->e);
	if (ret) {
		backup_error(b, ret);
		return;
	}
	if (!json_is_true(json_object_get(result, "more")) ||
	    !json_array_size(json_object_get(result, "files")))
		b->listing++;
	hf_timer_in(b->timer, 0);
}

/* One page of one owner. Return: 0 (on_step() comes again), -errno. */
static int backup_list(struct backup *b)
{
	enum hf_proc owner = owners[b->listing];
	const char *last = hf_backup_last(&b->list, owner);
	json_t *page = NULL;
	int ret;

	if (owner != HF_PROC_PARENT)
		return owner_ask(b, owner, HF_MSG_FILES, "after", last, on_listed);
	ret = hf_handover_list(b->configfd, hf_backup_of_config, last, &page, &b->e);
	if (ret)
		return ret;
	on_listed(b, 200, page);
	json_decref(page);
	return 0;
}

static int backup_begin(struct backup *b)
{
	int ret = backup_file(b);

	if (!ret)
		ret = backup_room(b);
	if (!ret)
		hf_timer_in(b->timer, 0);
	return ret;
}

/* b->in is files[next - 1]. */
static int backup_opened(struct backup *b)
{
	const struct hf_backup_file *f = &b->list.files[b->next - 1];
	struct hf_err why = { "" };
	int ret = hf_backup_check(b->in, &b->left, &why);

	if (ret)
		return hf_fail(&b->e, ret, "%s: %s", f->name, why.text);
	ret = hf_archive_member(&b->w, f->name, b->left, &b->e);
	if (!ret && !b->left) {
		close(b->in);
		b->in = -1;
	}
	if (!ret)
		hf_timer_in(b->timer, 0);
	return ret;
}

static void on_handed_over(void *arg, int status, const json_t *result)
{
	struct backup *b = arg;
	int ret = 0;

	b->asked = false;
	if (status == 404)
		hf_timer_in(b->timer, 0); /* gone since: an old segment */
	else if (status < 300 && b->in >= 0)
		ret = backup_opened(b);
	else
		ret = hf_fail(&b->e, -EIO, "%s is not handed over: %s",
			      b->list.files[b->next - 1].name,
			      hf_config_text_or(result, "message", "no reason given"));
	if (ret)
		backup_error(b, ret);
}

void hf_parent_file(struct hf_parent *p, enum hf_proc from, struct hf_ipc_msg *m)
{
	struct backup *b = hf_parent_ops_data()->backup;
	const struct hf_backup_file *f = b && b->asked ? &b->list.files[b->next - 1] : NULL;

	(void)p;
	if (!f || b->in >= 0 || f->owner != from ||
	    strcmp(f->source, json_string_value(json_object_get(m->body, "name"))))
		return; /* nobody asked; it is closed */
	b->in = m->fd;
	m->fd = -1;
}

/* Return: 0 (on_step() comes again), -errno. */
static int backup_next(struct backup *b)
{
	const struct hf_backup_file *f = &b->list.files[b->next++];

	if (f->owner != HF_PROC_PARENT) {
		b->asked = true;
		return owner_ask(b, f->owner, HF_MSG_FILE, "name", f->source, on_handed_over);
	}
	b->in = hf_handover_open(b->configfd, hf_backup_of_config, f->source, &b->e);
	if (b->in >= 0)
		return backup_opened(b);
	if (b->in != -ENOENT)
		return b->in;
	hf_timer_in(b->timer, 0);
	return 0;
}

static int backup_piece(struct backup *b)
{
	size_t want = b->left < STEP_BYTES ? (size_t)b->left : STEP_BYTES;
	ssize_t n = read(b->in, b->piece, want);
	int ret;

	if (n <= 0)
		return hf_fail(&b->e, n ? -errno : -EIO, "%s: %s", b->w.name,
			       n ? strerror(errno) : "became shorter while it was read");
	ret = hf_archive_data(&b->w, b->piece, (size_t)n, &b->e);
	b->left -= (uint64_t)n;
	if (!ret && !b->left) {
		close(b->in);
		b->in = -1;
	}
	if (!ret)
		hf_timer_in(b->timer, 0);
	return ret;
}

static int backup_finish(struct backup *b)
{
	char host[65] = "";
	json_t *about;
	int ret;

	gethostname(host, sizeof(host) - 1);
	about = json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "host", host, "holdfast", HF_VERSION,
			  "t_ns", (json_int_t)hf_real_ns(hf_parent_clock(b->call.parent)),
			  "audit_seq", (json_int_t)b->audit_seq, "actor", b->call.actor.name,
			  "comment", b->comment);
	if (!about)
		return hf_fail(&b->e, -ENOMEM, "out of memory");
	ret = hf_archive_finish(&b->w, about, b->key, &b->e);
	if (!ret && (renameat(b->folder, PART, b->folder, b->name) || fsync(b->folder)))
		ret = hf_fail(&b->e, -errno, "%s: %s", b->name, strerror(errno));
	return ret;
}

static void backup_done(struct backup *b)
{
	char hex[2 * SHA256_DIGEST_LENGTH + 1], path[HF_CONFIG_PATH + 96];
	json_t *config = hf_config_json(hf_parent_config(b->call.parent));

	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", b->w.sha256[i]);
	snprintf(path, sizeof(path), "%s/" FOLDER "/%s", hf_config_text(config, "paths.state"),
		 b->name);
	json_decref(config);
	hf_parent_append(b->call.parent, &b->call.corr, &b->call.actor, "backup.written",
			 "holdfastd", "event", "ok", 0,
			 json_pack("{s:s, s:s}", "path", path, "sha256", hex), NULL, NULL);
	hf_call_answer(&b->call, 200, json_pack("{s:s, s:s}", "path", path, "sha256", hex));
	backup_free(b);
}

/* Lists, then copies; whoever is called here sees to it that this is called again, or fails. */
static void on_step(void *arg)
{
	struct backup *b = arg;
	int ret;

	if (b->listing < OWNERS) {
		ret = backup_list(b);
	} else if (b->folder < 0) {
		ret = backup_begin(b);
	} else if (b->in >= 0) {
		ret = backup_piece(b);
	} else if (b->next < b->list.count) {
		ret = backup_next(b);
	} else {
		ret = backup_finish(b);
		if (!ret) {
			backup_done(b);
			return;
		}
	}
	if (ret)
		backup_error(b, ret);
}

static void on_snapshot(void *arg, int status, const json_t *result)
{
	struct backup *b = arg;

	if (status < 300) {
		hf_timer_in(b->timer, 0);
		return;
	}
	hf_fail(&b->e, -EIO, "auth gives no copy of its data: %s",
		hf_config_text_or(result, "message", "no reason given"));
	backup_fail(b, 503, "auth");
}

/* The log is durable up to here, and so is what the archive will have of it. */
static void on_noted(void *arg, int status, const json_t *result)
{
	struct backup *b = arg;
	struct hf_link *auth = hf_parent_link(b->call.parent, HF_PROC_AUTH);
	json_t *body = json_pack("{s:s, s:{}, s:o, s:i}", "op", "backup.snapshot", "args", "actor",
				 hf_actor_json(&b->call.actor), "deadline_ms", 30000);

	b->audit_seq = hf_config_int_or(result, "seq", 0);
	if (status < 300 && auth &&
	    !hf_link_request(auth, HF_MSG_CALL, &b->call.corr, body, -1,
			     hf_mono_ns(hf_parent_clock(b->call.parent)) + SNAPSHOT_NS, on_snapshot,
			     b))
		return;
	if (status >= 300 || !auth)
		json_decref(body);
	hf_fail(&b->e, -EIO,
		status >= 300 ? "the audit log cannot be written" : "auth cannot be asked");
	backup_fail(b, 503, "unavailable");
}

void hf_op_backup_create(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
			 const struct hf_actor *actor, const json_t *args)
{
	struct parent_ops_data *d = hf_parent_ops_data();
	struct backup *b = d->backup ? NULL : calloc(1, sizeof(*b));
	int ret;

	if (!b) {
		hf_link_error(from, m->id, &m->corr, d->backup ? 409 : 503,
			      d->backup ? "busy" : "memory", "a backup is under way");
		return;
	}
	d->backup = b;
	b->in = b->out = b->folder = -1;
	hf_call_keep(&b->call, p, from, m, actor);
	b->statefd = hf_state_open(p, ".", &b->e);
	b->configfd = hf_state_open(p, "config", &b->e);
	b->comment = strdup(hf_config_text_or(args, "comment", ""));
	ret = b->statefd < 0 ? b->statefd : b->configfd < 0 ? b->configfd : b->comment ? 0 : -ENOMEM;
	if (!ret)
		ret = hf_backup_key(b->configfd, &b->key, &b->e);
	if (!ret)
		ret = hf_timer_new(&b->timer, hf_parent_loop(p), on_step, b);
	if (!ret)
		ret = hf_parent_append(p, &m->corr, actor, "backup.begin", "holdfastd", "event",
				       "ok", 0, NULL, on_noted, b);
	if (!ret)
		return;
	if (!*b->e.text)
		hf_fail(&b->e, ret, "%s", strerror(-ret));
	backup_fail(b, 503, "unavailable");
}
