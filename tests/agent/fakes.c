// SPDX-License-Identifier: GPL-2.0
/*
 * A holdfastd with the real parent, sandboxes and links, whose roles only say
 * what happens to them. For tests/agent/daemon.sh.
 */
#include <errno.h>
#include <unistd.h>

#include "run.h"

static struct hf_timer *asking;
static int auth_pid = -1;

/* Refused by front, which is asked last, when all the others have said yes. */
static int fake_prepare(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	(void)s;
	if (hf_config_int_or(config, "api.body_max", 0) == 4321)
		return hf_fail(e, -EINVAL, "body_max is 4321, which this fake refuses");
	return 0;
}

static int fake_commit(struct hf_service *s, const json_t *config, struct hf_err *e)
{
	(void)s;
	(void)e;
	hf_log_app(HF_LOG_NOTICE, "fake.commit", NULL, "%s", hf_config_text(config, "log.level"));
	return 0;
}

static void whois_answered(void *arg, int status, const json_t *result)
{
	int pid = (int)json_integer_value(json_object_get(result, "uid"));

	(void)arg;
	if (status != 200 || pid == auth_pid)
		return;
	auth_pid = pid;
	hf_log_app(HF_LOG_NOTICE, "fake.whois", NULL, "auth is %d", pid);
}

/* keeper: asks auth again and again, so that a link that is not renewed shows. */
static void ask(void *arg)
{
	struct hf_service *s = arg;
	struct hf_link *auth = hf_service_link(s, HF_PROC_AUTH);

	if (auth)
		hf_link_request(auth, HF_MSG_WHOIS, NULL,
				json_pack("{s:i, s:[]}", "uid", 0, "gids"), -1,
				hf_mono_ns(hf_service_clock(s)) + HF_S, whois_answered, s);
	hf_timer_in(asking, 100 * HF_MS);
}

static int fake_start(struct hf_service *s, struct hf_err *e)
{
	(void)e;
	hf_log_app(HF_LOG_NOTICE, "fake.start", NULL, "pid %d uid %d", (int)getpid(),
		   (int)getuid());
	hf_service_ready(s);
	return 0;
}

static int keeper_start(struct hf_service *s, struct hf_err *e)
{
	int ret = hf_timer_new(&asking, hf_service_loop(s), ask, s);

	if (ret)
		return hf_fail(e, ret, "timer");
	hf_timer_in(asking, 0);
	return fake_start(s, e);
}

static void fake_append(const struct hf_ipc_msg *m)
{
	const json_t *actor = json_object_get(m->body, "actor");
	const json_t *diff = json_object_get(json_object_get(m->body, "detail"), "diff");
	char event[64];

	/* An event for each action: the log keeps back what comes too often under one name. */
	snprintf(event, sizeof(event), "fake.append.%s",
		 json_string_value(json_object_get(m->body, "action")));
	hf_log_app(HF_LOG_NOTICE, event, &m->corr, "%s %s %s by %s pid %d, %d changes",
		   json_string_value(json_object_get(m->body, "action")),
		   json_string_value(json_object_get(m->body, "object")),
		   json_string_value(json_object_get(m->body, "result")),
		   json_string_value(json_object_get(actor, "name")),
		   (int)json_integer_value(json_object_get(actor, "pid")),
		   (int)json_array_size(json_object_get(diff, "changes")));
}

static void fake_message(struct hf_service *s, struct hf_link *from, struct hf_ipc_msg *m)
{
	(void)s;
	if (m->type == HF_MSG_APPEND)
		fake_append(m);
	if (m->id)
		hf_link_reply(from, m->id, &m->corr, 200, json_pack("{s:i}", "uid", (int)getpid()));
}

static void fake_notice(struct hf_service *s, enum hf_proc peer, bool back)
{
	(void)s;
	hf_log_app(HF_LOG_NOTICE, "fake.notice", NULL, "%s %s", hf_proc_name(peer),
		   back ? "back" : "gone");
}

static void fake_stop(struct hf_service *s)
{
	hf_log_app(HF_LOG_NOTICE, "fake.stop", NULL, "%s",
		   hf_service_control(s) ? "told" : "parent gone");
	hf_service_done(s, 0);
}

static void keeper_free(struct hf_service *s)
{
	(void)s;
	hf_timer_free(asking);
}

#define FAKE(r, begin, ...) { .role = r, .prepare = fake_prepare, .commit = fake_commit, \
	.start = begin, .message = fake_message, .notice = fake_notice, .stop = fake_stop, \
	.stats = NULL, ##__VA_ARGS__ }

static const struct hf_role_ops audit = FAKE(HF_PROC_AUDIT, fake_start);
static const struct hf_role_ops auth = FAKE(HF_PROC_AUTH, fake_start);
static const struct hf_role_ops keeper = FAKE(HF_PROC_KEEPER, keeper_start,
					      .free = keeper_free);
static const struct hf_role_ops export = FAKE(HF_PROC_EXPORT, fake_start);
static const struct hf_role_ops fleet = FAKE(HF_PROC_FLEET, fake_start);
static const struct hf_role_ops local = FAKE(HF_PROC_LOCAL, fake_start);
static const struct hf_role_ops front = FAKE(HF_PROC_FRONT, fake_start);

static const struct hf_role_ops *const roles[HF_PROCS] = {
	[HF_PROC_AUDIT] = &audit, [HF_PROC_AUTH] = &auth, [HF_PROC_KEEPER] = &keeper,
	[HF_PROC_EXPORT] = &export, [HF_PROC_FLEET] = &fleet, [HF_PROC_LOCAL] = &local,
	[HF_PROC_FRONT] = &front,
};

static const struct hf_parent_ops parent_ops = { .call = NULL };

int main(int argc, char **argv)
{
	return hf_run(argc, argv, roles, &parent_ops);
}
