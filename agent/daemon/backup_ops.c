// SPDX-License-Identifier: GPL-2.0
/*
 * The operation backup.create: auth makes a copy of its data base, then the files
 * are copied into one archive piece by piece, between other work of the parent.
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
#include "rights.h"

#define FOLDER "backup"
#define PART ".part" /* one at a time: what a crash leaves is overwritten */
#define STEP_BYTES (1U << 20) /* copied at a time: a few milliseconds */
#define SNAPSHOT_NS (30 * HF_S)

struct backup {
	struct parent_call call;
	struct hf_timer *timer;
	int statefd, folder, out, in;
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
	fd_close(b->statefd);
	free(b->comment);
	free(b);
	hf_parent_ops_data()->backing_up = false;
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

static int backup_begin(struct backup *b)
{
	int ret = hf_rights_read_all(true);

	if (ret)
		return hf_fail(
			&b->e, ret,
			"CAP_DAC_READ_SEARCH is missing: files of other processes cannot be read");
	ret = hf_backup_collect(b->statefd, &b->list, &b->e);
	hf_rights_read_all(false);
	if (!ret)
		ret = backup_file(b);
	return ret ? ret : backup_room(b);
}

static int backup_next(struct backup *b)
{
	const struct hf_backup_file *f = &b->list.files[b->next++];
	int ret = hf_rights_read_all(true);

	if (ret)
		return hf_fail(&b->e, ret, "CAP_DAC_READ_SEARCH: %s", strerror(-ret));
	b->in = hf_backup_open(b->statefd, f->source, &b->left, &b->e);
	hf_rights_read_all(false);
	if (b->in == -ENOENT)
		return 0; /* gone since: an old segment, a replaced file's predecessor */
	if (b->in < 0)
		return b->in;
	ret = hf_archive_member(&b->w, f->name, b->left, &b->e);
	if (!ret && !b->left) {
		close(b->in);
		b->in = -1;
	}
	return ret;
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
	if (ret || b->left)
		return ret;
	close(b->in);
	b->in = -1;
	return 0;
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

static void on_step(void *arg)
{
	struct backup *b = arg;
	int ret;

	if (b->in >= 0) {
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
		backup_fail(b, ret == -ENOSPC ? 507 : 500, "backup");
	else
		hf_timer_in(b->timer, 0);
}

static void on_snapshot(void *arg, int status, const json_t *result)
{
	struct backup *b = arg;
	int ret;

	if (status >= 300) {
		hf_fail(&b->e, -EIO, "auth gives no copy of its data: %s",
			hf_config_text_or(result, "message", "no reason given"));
		backup_fail(b, 503, "auth");
		return;
	}
	ret = backup_begin(b);
	if (ret)
		backup_fail(b, ret == -ENOSPC ? 507 : 500, ret == -ENOSPC ? "space" : "backup");
	else
		hf_timer_in(b->timer, 0);
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
	struct backup *b = d->backing_up ? NULL : calloc(1, sizeof(*b));
	int configfd, ret;

	if (!b) {
		hf_link_error(from, m->id, &m->corr, d->backing_up ? 409 : 503,
			      d->backing_up ? "busy" : "memory", "a backup is under way");
		return;
	}
	d->backing_up = true;
	b->in = b->out = b->folder = -1;
	hf_call_keep(&b->call, p, from, m, actor);
	b->statefd = hf_state_open(p, ".", &b->e);
	configfd = hf_state_open(p, "config", &b->e);
	b->comment = strdup(hf_config_text_or(args, "comment", ""));
	ret = b->statefd < 0 ? b->statefd : configfd < 0 ? configfd : b->comment ? 0 : -ENOMEM;
	if (!ret)
		ret = hf_backup_key(configfd, &b->key, &b->e);
	fd_close(configfd);
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
