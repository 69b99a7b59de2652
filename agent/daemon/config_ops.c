// SPDX-License-Identifier: GPL-2.0
/*
 * Operations that the parent carries out itself: the configuration. Who may
 * ask has been decided by auth; what may be taken is decided by the table, the
 * rules, the seal, and every process.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_store.h"
#include "file.h"
#include "log.h"
#include "parent_ops.h"

typedef void (*op_fn)(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		      const struct hf_actor *actor, const json_t *args);

void hf_call_keep(struct parent_call *c, struct hf_parent *p, struct hf_link *from,
		  const struct hf_ipc_msg *m, const struct hf_actor *actor)
{
	*c = (struct parent_call){
		.parent = p, .from = from, .id = m->id, .corr = m->corr, .actor = *actor
	};
}

void hf_call_answer(const struct parent_call *c, int status, json_t *result)
{
	if (hf_parent_link(c->parent, HF_PROC_AUTH) == c->from)
		hf_link_reply(c->from, c->id, &c->corr, status, result);
	else
		json_decref(result);
}

struct parent_ops_data *hf_parent_ops_data(void)
{
	static struct parent_ops_data data;	/* a process is one parent at most */

	return &data;
}

int hf_state_open(struct hf_parent *p, const char *name, struct hf_err *e)
{
	json_t *part = hf_config_part(hf_parent_config(p), HF_PROC_PARENT);
	char path[HF_CONFIG_PATH + 32];
	int fd;

	if (!part)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/%s", hf_config_text(part, "paths.state"), name);
	json_decref(part);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? hf_fail(e, -errno, "%s: %s", path, strerror(errno)) : fd;
}

/* ------------------------------------------------------------------ reading */

static void answer_invalid(struct hf_link *from, const struct hf_ipc_msg *m,
			   const struct hf_config_errors *errors)
{
	char text[HF_ERR_LEN * 2];

	hf_config_error_text(&errors->e[0], "configuration", text, sizeof(text));
	hf_link_error(from, m->id, &m->corr, 422, "invalid", "%u errors; the first: %s",
		      errors->count + errors->more, text);
}

/* A configuration from arguments. NULL: answered already. */
static struct hf_config *config_of(struct hf_parent *p, struct hf_link *from,
				   const struct hf_ipc_msg *m, const char *text, size_t len)
{
	struct hf_config_errors *errors = malloc(sizeof(*errors));
	struct hf_config *c = NULL;
	int ret =
		errors ? hf_config_parse(text, len, "configuration", hf_parent_env(p), &c, errors) :
			 -ENOMEM;

	if (ret == -EINVAL)
		answer_invalid(from, m, errors);
	else if (ret)
		hf_link_error(from, m->id, &m->corr, 503, "memory", "%s", strerror(-ret));
	free(errors);
	return c;
}

static void op_get(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		   const struct hf_actor *actor, const json_t *args)
{
	struct hf_err e = { "" };
	int dirfd = hf_state_open(p, "config", &e);
	json_t *versions = dirfd < 0 ? NULL : hf_versions_list(dirfd);
	int64_t version = hf_config_int_or(json_array_get(versions, 0), "version", 0);
	json_t *effective, *result;
	char *text = NULL;
	size_t len = 0;
	int ret = -EIO;

	(void)actor;
	(void)args;
	if (versions)
		ret = hf_versions_read(dirfd, (uint32_t)version, &text, &len, &e);
	json_decref(versions);
	if (dirfd >= 0)
		close(dirfd);
	if (ret) {
		hf_link_error(from, m->id, &m->corr, 500, "store", "%s", e.text);
		return;
	}
	effective = hf_config_json(hf_parent_config(p));
	result = json_pack("{s:I, s:s%, s:o}", "version", (json_int_t)version, "text", text, len,
			   "effective", effective);
	/* the text can be made effective again by who asks, not the other way round */
	if (json_dumpb(result, NULL, 0, JSON_COMPACT) > HF_MSG_MAX - 1024)
		json_object_del(result, "effective");
	free(text);
	hf_link_reply(from, m->id, &m->corr, 200, result);
}

static void op_check(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		     const struct hf_actor *actor, const json_t *args)
{
	const json_t *text = json_object_get(args, "text");
	struct hf_config_errors *errors = malloc(sizeof(*errors));
	struct hf_config *c = NULL;

	(void)actor;
	if (!errors) {
		hf_link_error(from, m->id, &m->corr, 503, "memory", "out of memory");
		return;
	}
	hf_config_parse(json_string_value(text), json_string_length(text), "configuration",
			hf_parent_env(p), &c, errors);
	hf_config_free(c);
	hf_link_reply(from, m->id, &m->corr, 200, hf_config_errors_json(errors));
	free(errors);
}

static void op_diff(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		    const struct hf_actor *actor, const json_t *args)
{
	const json_t *text = json_object_get(args, "text");
	struct hf_config *c =
		config_of(p, from, m, json_string_value(text), json_string_length(text));
	json_t *changes;

	(void)actor;
	if (!c)
		return;
	changes = hf_config_diff(hf_parent_config(p), c);
	hf_config_free(c);
	hf_link_reply(from, m->id, &m->corr, 200, hf_changes_cut(changes));
	json_decref(changes);
}

static void op_history(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		       const struct hf_actor *actor, const json_t *args)
{
	struct hf_err e = { "" };
	int dirfd = hf_state_open(p, "config", &e);
	json_t *versions = dirfd < 0 ? NULL : hf_versions_list(dirfd);

	(void)actor;
	(void)args;
	if (dirfd >= 0)
		close(dirfd);
	if (!versions) {
		hf_link_error(from, m->id, &m->corr, 500, "store", "%s", e.text);
		return;
	}
	/* the oldest are left out if there is no room; a version can be read all the same */
	while (json_dumpb(versions, NULL, 0, JSON_COMPACT) > HF_MSG_MAX - 1024)
		json_array_remove(versions, json_array_size(versions) - 1);
	hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:o}", "versions", versions));
}

/* ------------------------------------------------------------------ changing */

/* One config.apply or config.rollback under way. */
struct apply {
	struct parent_call call;
	char *text, *before; /* @before: the one in force, for when the file cannot be written */
	size_t len, before_len;
	uint32_t version;
	bool fresh; /* @version was added for this */
	json_t *changes; /* as hf_changes_cut() */
	struct hf_err e;
};

static void apply_free(struct apply *a)
{
	hf_parent_ops_data()->applying = false;
	json_decref(a->changes);
	free(a->text);
	free(a->before);
	free(a);
}

/* The configuration's file, replaced whole. */
static int file_write(struct hf_parent *p, const char *text, size_t len, struct hf_err *e)
{
	char folder[512], name[512];
	int dirfd, ret;

	snprintf(folder, sizeof(folder), "%s", hf_parent_config_file(p));
	snprintf(name, sizeof(name), "%s", hf_parent_config_file(p));
	dirfd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return hf_fail(e, -errno, "%s: %s", hf_parent_config_file(p), strerror(errno));
	ret = hf_file_replace(dirfd, basename(name), text, len, 0644, e);
	close(dirfd);
	return ret;
}

static void version_drop(const struct apply *a)
{
	int dirfd = a->fresh ? hf_state_open(a->call.parent, "config", NULL) : -1;

	if (dirfd < 0)
		return;
	hf_versions_drop(dirfd, a->version);
	close(dirfd);
}

static void on_reverted(void *arg, int ret, const char *why)
{
	struct apply *a = arg;

	hf_log_app(HF_LOG_ERROR, "config.apply", &a->call.corr, "%s%s%s", a->e.text,
		   ret ? "; and the one before is not in force again: " : "", ret ? why : "");
	hf_call_answer(&a->call, 500, hf_error_json("store", "%s", a->e.text));
	apply_free(a);
}

static int reload(struct apply *a, const char *text, size_t len, hf_reload_fn done)
{
	const struct hf_reload_call call = { a->call.corr, a->call.actor, done, a };

	return hf_parent_reload(a->call.parent, &call, text, len, NULL);
}

static void on_applied(void *arg, int ret, const char *why)
{
	struct apply *a = arg;
	struct hf_parent *p = a->call.parent;

	if (ret) {
		version_drop(a);
		hf_call_answer(&a->call, 409,
			       hf_error_json("refused", "nothing is changed: %s", why));
		apply_free(a);
		return;
	}
	ret = file_write(p, a->text, a->len, &a->e);
	if (ret) {
		version_drop(a);
		if (reload(a, a->before, a->before_len, on_reverted))
			on_reverted(a, -EBUSY, "not possible now");
		return;
	}
	hf_parent_append(p, &a->call.corr, &a->call.actor, "config.change", "holdfastd", "event",
			 "ok", 0,
			 json_pack("{s:i, s:O}", "version", (int)a->version, "diff", a->changes),
			 NULL, NULL);
	json_object_set_new(a->changes, "version", json_integer(a->version));
	hf_call_answer(&a->call, 200, json_incref(a->changes));
	apply_free(a);
}

/* The first change that would loosen a limit of the site, or NULL. */
static const char *first_loosening(const json_t *changes)
{
	const json_t *c;
	size_t i;

	json_array_foreach(changes, i, c)
		if (json_is_true(json_object_get(c, "loosens")))
			return hf_config_text(c, "path");
	return NULL;
}

/* Changes against the one in force; the seal decides here. NULL: answered already. */
static json_t *changes_allowed(struct hf_parent *p, struct hf_link *from,
			       const struct hf_ipc_msg *m, const struct hf_config *next)
{
	json_t *now = hf_config_json(hf_parent_config(p));
	json_t *changes = hf_config_diff(hf_parent_config(p), next);
	const char *loosened = first_loosening(changes);
	bool sealed = hf_config_bool(now, "keeper.seal");

	json_decref(now);
	if (!loosened || !sealed)
		return changes;
	hf_link_error(
		from, m->id, &m->corr, 409, "needs_reboot",
		"%s: would be looser; arrays are sealed, so this needs a reboot: edit %s and reboot",
		loosened, hf_parent_config_file(p));
	json_decref(changes);
	return NULL;
}

/* Keeps the text as a version, and the text in force for the way back. */
static int apply_keep(struct apply *a, const char *comment)
{
	struct hf_parent *p = a->call.parent;
	int dirfd = hf_state_open(p, "config", &a->e), ret;
	json_t *versions;
	uint32_t newest;

	if (dirfd < 0)
		return dirfd;
	versions = hf_versions_list(dirfd);
	newest = (uint32_t)hf_config_int_or(json_array_get(versions, 0), "version", 0);
	json_decref(versions);
	ret = hf_versions_read(dirfd, newest, &a->before, &a->before_len, &a->e);
	if (!ret)
		ret = hf_versions_add(dirfd, a->text, a->len, a->call.actor.name, comment,
				      hf_real_ns(hf_parent_clock(p)), &a->version, &a->e);
	a->fresh = !ret && a->version != newest;
	close(dirfd);
	return ret;
}

/* @text: taken over. */
static void apply(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		  const struct hf_actor *actor, char *text, size_t len, const char *comment)
{
	struct parent_ops_data *d = hf_parent_ops_data();
	struct hf_config *next = config_of(p, from, m, text, len);
	json_t *changes = next ? changes_allowed(p, from, m, next) : NULL;
	struct apply *a = changes ? calloc(1, sizeof(*a)) : NULL;
	int ret;

	hf_config_free(next);
	if (!a || d->applying) {
		if (changes)
			hf_link_error(from, m->id, &m->corr, a ? 409 : 503, a ? "busy" : "memory",
				      "another configuration is being put into force");
		json_decref(changes);
		free(a);
		free(text);
		return;
	}
	hf_call_keep(&a->call, p, from, m, actor);
	a->text = text;
	a->len = len;
	a->changes = hf_changes_cut(changes);
	json_decref(changes);
	ret = apply_keep(a, comment);
	if (!ret) {
		d->applying = true;
		ret = reload(a, text, len, on_applied);
		if (!ret)
			return;
		hf_fail(&a->e, ret, "not possible now: %s", strerror(-ret));
		version_drop(a);
	}
	hf_call_answer(&a->call, ret == -EBUSY ? 409 : 500,
		       hf_error_json(ret == -EBUSY ? "busy" : "store", "%s", a->e.text));
	apply_free(a);
}

static void op_apply(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
		     const struct hf_actor *actor, const json_t *args)
{
	const json_t *text = json_object_get(args, "text");
	size_t len = json_string_length(text);
	char *copy = strndup(json_string_value(text), len);

	if (copy)
		apply(p, from, m, actor, copy, len, hf_config_text_or(args, "comment", ""));
	else
		hf_link_error(from, m->id, &m->corr, 503, "memory", "out of memory");
}

static void op_rollback(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m,
			const struct hf_actor *actor, const json_t *args)
{
	uint32_t version = (uint32_t)hf_config_int_or(args, "version", 0);
	struct hf_err e = { "" };
	int dirfd = hf_state_open(p, "config", &e), ret = dirfd;
	char comment[320], *text = NULL;
	size_t len;

	if (dirfd >= 0) {
		ret = hf_versions_read(dirfd, version, &text, &len, &e);
		close(dirfd);
	}
	if (ret) {
		hf_link_error(from, m->id, &m->corr, ret == -ENOENT ? 404 : 500,
			      ret == -ENOENT ? "not_found" : "store", "%s", e.text);
		return;
	}
	snprintf(comment, sizeof(comment), "back to version %u%s%s", version,
		 json_object_get(args, "comment") ? ": " : "",
		 hf_config_text_or(args, "comment", ""));
	apply(p, from, m, actor, text, len, comment);
}

/* ------------------------------------------------------------------ all of them */

void hf_parent_call(struct hf_parent *p, struct hf_link *from, struct hf_ipc_msg *m)
{
	static const struct {
		const char *name;
		op_fn run;
	} ops[] = {
		{ "config.get", op_get },
		{ "config.check", op_check },
		{ "config.diff", op_diff },
		{ "config.apply", op_apply },
		{ "config.history", op_history },
		{ "config.rollback", op_rollback },
		{ "backup.create", hf_op_backup_create },
	};
	const char *op = json_string_value(json_object_get(m->body, "op"));
	struct hf_err e = { "" };
	struct hf_actor actor;

	if (hf_actor_parse(json_object_get(m->body, "actor"), &actor, &e)) {
		hf_link_error(from, m->id, &m->corr, 400, "actor", "%s", e.text);
		return;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].name, op))
			continue;
		ops[i].run(p, from, m, &actor, json_object_get(m->body, "args"));
		return;
	}
	hf_link_error(from, m->id, &m->corr, 404, "not_found", "the parent has no operation %s",
		      op);
}

/* holdfastctl backup restore has left a note: it becomes a record of the log. */
static void restored_say(struct hf_parent *p, int dirfd)
{
	struct hf_err e = { "" };
	char *text = NULL;
	json_t *note;
	size_t len;

	if (hf_file_read(dirfd, "restored", 4096, &text, &len, &e))
		return;
	note = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	hf_log_app(HF_LOG_NOTICE, "backup.restored", NULL, "state was restored from a backup");
	hf_parent_append(p, NULL, &hf_actor_self, "backup.restored", "holdfastd", "event", "ok", 0, note,
			 NULL, NULL);
	unlinkat(dirfd, "restored", 0);
}

/* At the start, and after SIGHUP: what stands in the file is a version, too. */
uint32_t hf_parent_committed(struct hf_parent *p, const struct hf_config *c, const char *text,
			     size_t len)
{
	struct hf_err e = { "" };
	uint32_t version = 0;
	int dirfd;

	(void)c;
	if (hf_parent_ops_data()->applying)
		return 0;
	dirfd = hf_state_open(p, "config", &e);
	if (dirfd < 0 || hf_versions_add(dirfd, text, len, "holdfastd", "read from the file",
					 hf_real_ns(hf_parent_clock(p)), &version, &e)) {
		hf_log_app(HF_LOG_ERROR, "config.version", NULL, "not kept: %s", e.text);
		version = 0;
	}
	if (dirfd < 0)
		return 0;
	restored_say(p, dirfd);
	close(dirfd);
	return version;
}
