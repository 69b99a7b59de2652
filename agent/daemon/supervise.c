// SPDX-License-Identifier: GPL-2.0
/*
 * Watching: who is ready, who answers, who has ended and when he is started
 * again; the order of the end. No process's trouble ends the parent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon.h"
#include "log.h"

#define BACKOFF_LEAST_NS	(250 * HF_MS)
#define BACKOFF_MOST_NS		(30 * HF_S)
#define GOOD_CONDUCT_NS		(60 * HF_S)
#define LEAVE_NS		(10 * HF_S)	/* from LEAVING to the end */
#define STAGES			5

/* How long an answer to PING may take: as long as the role may be busy with one thing. */
static const uint64_t answer_ns[HF_PROCS] = {
	[HF_PROC_AUDIT] = 8 * HF_S,	/* a disk that takes its time */
	[HF_PROC_AUTH] = 4 * HF_S,
	[HF_PROC_KEEPER] = 1 * HF_S,
	[HF_PROC_EXPORT] = 4 * HF_S,
	[HF_PROC_FLEET] = 4 * HF_S,
	[HF_PROC_LOCAL] = 4 * HF_S,
	[HF_PROC_FRONT] = 4 * HF_S,
};

/* The order of the end: nobody comes in, arrays are silent, all of it is recorded and anchored. */
static const struct {
	unsigned int roles;
	uint64_t most_ns;
} stages[STAGES] = {
	{ 1U << HF_PROC_FRONT | 1U << HF_PROC_LOCAL, 2 * HF_S },
	{ 1U << HF_PROC_KEEPER, 3 * HF_S },
	{ 1U << HF_PROC_AUTH, 2 * HF_S },
	{ 1U << HF_PROC_AUDIT, 5 * HF_S },
	{ 1U << HF_PROC_EXPORT | 1U << HF_PROC_FLEET, 2 * HF_S },
};

static uint64_t now_ns(const struct hf_parent *p)
{
	return hf_mono_ns(hf_loop_clock(p->env.loop));
}

static void tell_others(const struct hf_child *c, const char *what)
{
	struct hf_parent *p = c->parent;

	for (int i = 1; i < HF_PROCS; i++) {
		struct hf_child *o = &p->children[i];

		if (o == c || !o->control ||
		    (o->state != HF_CHILD_READY && o->state != HF_CHILD_STARTING))
			continue;
		if (hf_link_send(o->control, HF_MSG_NOTICE, NULL,
				 json_pack("{s:s, s:s}", "role", hf_proc_name(c->role),
					   "what", what), -1))
			hf_child_kill(o, "does not read its control link");
	}
}

static void say_status(struct hf_parent *p)
{
	char missing[128] = "";
	size_t len = 0;

	for (int i = 1; i < HF_PROCS; i++)
		if (p->children[i].state != HF_CHILD_READY &&
		    p->children[i].state != HF_CHILD_OFF && len < sizeof(missing))
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, " %s",
						hf_proc_name((enum hf_proc)i));
	hf_notify(&p->notify, "STATUS=%s%s", missing[0] ? "without" : "all processes answer",
		  missing);
}

/* The next role of the first pass, or its end. Who has failed once is tried again meanwhile. */
void hf_first_pass(struct hf_parent *p)
{
	/* Who is started by somebody else waits for us to be ready. */
	if (p->attach)
		p->first_pass = HF_PROCS - 1;
	while (++p->first_pass < HF_PROCS) {
		struct hf_child *c = &p->children[p->first_pass];

		if (c->state == HF_CHILD_OFF)
			continue;
		hf_child_spawn(c);
		return;
	}
	p->state = HF_ST_RUNNING;
	hf_notify(&p->notify, "READY=1");
	say_status(p);
	hf_log_app(HF_LOG_NOTICE, "agent.ready", NULL, "version %s", HF_VERSION);
	hf_parent_append(p, NULL, &hf_actor_self, "agent.start", "holdfastd", "event", "ok", 0,
			 json_pack("{s:s}", "version", HF_VERSION), NULL, NULL);
}

void hf_child_ready(struct hf_child *c)
{
	struct hf_parent *p = c->parent;

	c->state = HF_CHILD_READY;
	c->up_ns = now_ns(p);
	c->answer_ns = c->up_ns;
	hf_log_app(HF_LOG_INFO, "process.ready", NULL, "%s (pid %d)", hf_proc_name(c->role),
		   (int)c->pid);
	if (c->role == HF_PROC_AUDIT)
		hf_records_flush(p);
	hf_parent_append(p, NULL, &hf_actor_self, "process.start", hf_proc_name(c->role), "event",
			 "ok", 0,
			 json_pack("{s:i, s:i}", "pid", (int)c->pid, "restarts", (int)c->restarts),
			 NULL, NULL);
	if (p->first_pass == (int)c->role)
		hf_first_pass(p);
	else
		say_status(p);
	tell_others(c, "back");
}

/* Whoever has started it has told it to finish. */
void hf_child_leaving(struct hf_child *c)
{
	if (c->state != HF_CHILD_STARTING && c->state != HF_CHILD_READY)
		return;
	c->leaving = true;
	c->state = HF_CHILD_STOPPING;
	hf_timer_in(c->timer, LEAVE_NS);	/* kills */
}

static void report_stop(struct hf_child *c)
{
	hf_log_app(HF_LOG_NOTICE, "process.stop", NULL, "%s (pid %d): in order",
		   hf_proc_name(c->role), (int)c->pid);
	hf_parent_append(c->parent, NULL, &hf_actor_self, "process.stop", hf_proc_name(c->role),
			 "event", "ok", 0, json_pack("{s:i}", "pid", (int)c->pid), NULL, NULL);
}

/* Its link is closed; how it ended, only who started it knows, who also starts it again. */
static void report_gone(struct hf_child *c)
{
	if (c->leaving && !c->why[0]) {
		report_stop(c);
		return;
	}
	hf_log_app(HF_LOG_ERROR, "process.exit", NULL, "%s (pid %d): its link is closed%s%s",
		   hf_proc_name(c->role), (int)c->pid, c->why[0] ? ", " : "", c->why);
	hf_parent_append(c->parent, NULL, &hf_actor_self, "process.exit", hf_proc_name(c->role),
			 "event", "error", 0,
			 json_pack("{s:i, s:s}", "pid", (int)c->pid, "why", c->why), NULL, NULL);
}

static void report_exit(struct hf_child *c, int status, uint64_t again_ns)
{
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (status == HF_EXIT_UNKNOWN) {
		report_gone(c);
		return;
	}
	hf_log_app(HF_LOG_ERROR, "process.exit", NULL, "%s (pid %d): %s %d%s%s; again in %llu ms",
		   hf_proc_name(c->role), (int)c->pid, how, code, c->why[0] ? ", " : "", c->why,
		   (unsigned long long)(again_ns / HF_MS));
	hf_parent_append(c->parent, NULL, &hf_actor_self, "process.exit", hf_proc_name(c->role),
			 "event", "error", 0,
			 json_pack("{s:i, s:i, s:s, s:I}", "pid", (int)c->pid, how, code, "why",
				   c->why, "again_ms", (json_int_t)(again_ns / HF_MS)),
			 NULL, NULL);
}

static void schedule_start(struct hf_child *c)
{
	struct hf_parent *p = c->parent;

	if (c->up_ns && now_ns(p) - c->up_ns >= GOOD_CONDUCT_NS)
		c->backoff_ns = 0;
	c->up_ns = 0;
	c->state = HF_CHILD_DOWN;
	if (p->attach) {
		c->restarts++;
		return;		/* whoever starts it again has a backoff of his own */
	}
	c->backoff_ns = c->backoff_ns ? 2 * c->backoff_ns : BACKOFF_LEAST_NS;
	if (c->backoff_ns > BACKOFF_MOST_NS)
		c->backoff_ns = BACKOFF_MOST_NS;
	hf_timer_in(c->timer, c->backoff_ns);
}

void hf_child_exited(struct hf_child *c, int status)
{
	struct hf_parent *p = c->parent;
	bool in_order = !c->why[0] && (status == HF_EXIT_UNKNOWN || !status);
	bool first = p->first_pass == (int)c->role;

	/* Its own requests are answered 502 now; they must not find it alive. */
	c->state = HF_CHILD_DYING;
	hf_timer_stop(c->timer);
	hf_link_free(c->control);
	c->control = NULL;
	if (p->state == HF_ST_STOPPING) {
		if (!in_order)
			report_exit(c, status, 0);
		c->pid = 0;
		c->state = HF_CHILD_OFF;
		hf_stop_next(p);
		return;
	}
	schedule_start(c);
	report_exit(c, status, c->backoff_ns);
	c->last = c->pid;
	c->pid = 0;
	tell_others(c, "gone");
	say_status(p);
	if (first)
		hf_first_pass(p);
}

static struct hf_child *child_of(struct hf_parent *p, pid_t pid)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (p->children[i].pid == pid)
			return &p->children[i];
	return NULL;
}

void hf_reap(struct hf_parent *p)
{
	int status;
	pid_t pid;

	/* Whoever is not ours was left to us because we are the first process of a container. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct hf_child *c = child_of(p, pid);

		if (c)
			hf_child_exited(c, status);
	}
}

static void on_answer(void *arg, int status, const json_t *result)
{
	struct hf_child *c = arg;
	const char *nonce = json_string_value(json_object_get(result, "nonce"));
	bool right = status == 200 && nonce && c->nonce[0] && !strcmp(nonce, c->nonce);

	c->nonce[0] = '\0';
	if (status == 502)
		return;
	if (right) {
		c->answer_ns = now_ns(c->parent);
		hf_child_said(c, json_object_get(result, "stats"));
		hf_checks_heard(c->parent->checks, c->role, json_object_get(result, "findings"));
	} else if (status == 504) {
		hf_child_kill(c, "no answer to PING in %llu ms",
			      (unsigned long long)(answer_ns[c->role] / HF_MS));
	} else {
		hf_child_kill(c, "a wrong answer to PING");
	}
}

static void ping(struct hf_child *c)
{
	struct hf_parent *p = c->parent;
	bool told = c->role == HF_PROC_FRONT || c->role == HF_PROC_LOCAL || c->role == HF_PROC_EXPORT ||
		    c->role == HF_PROC_FLEET;
	uint8_t random[8];
	int ret = hf_random_fill(p->env.random, random, sizeof(random));

	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(c->nonce + 2 * i, 3, "%02x", random[i]);
	if (!ret)
		ret = hf_link_request(c->control, HF_MSG_PING, NULL,
				      json_pack("{s:s, s:o*}", "nonce", c->nonce, "health",
						told ? hf_checks_brief(p->checks) : NULL), -1,
				      now_ns(p) + answer_ns[c->role], on_answer, c);
	if (ret)
		hf_child_kill(c, "PING: %s", strerror(-ret));
}

void hf_ping_all(struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (p->children[i].state == HF_CHILD_READY && !p->children[i].nonce[0])
			ping(&p->children[i]);
}

bool hf_all_answer(const struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++) {
		const struct hf_child *c = &p->children[i];

		/* Who is killed and does not go away (a disk, a driver) counts, too. */
		if ((c->state == HF_CHILD_READY || c->state == HF_CHILD_DYING) && c->up_ns &&
		    now_ns(p) - c->answer_ns > HF_PING_NS + answer_ns[i] + HF_S)
			return false;
	}
	return true;
}

static void on_stopped(void *arg, int status, const json_t *result)
{
	(void)arg;
	(void)status;
	(void)result;	/* it counts when it is reaped */
}

static void stop_one(struct hf_child *c, uint64_t most_ns)
{
	/* Attached, it is gone when its timer says so. */
	if (c->state == HF_CHILD_DYING && c->parent->attach)
		return;
	hf_timer_stop(c->timer);
	if (!c->pid) {
		c->state = HF_CHILD_OFF;
		return;
	}
	if (c->state == HF_CHILD_DYING)
		return;
	if (c->state != HF_CHILD_STOPPING && c->control &&
	    hf_link_request(c->control, HF_MSG_STOP, NULL, json_object(), -1, UINT64_MAX,
			    on_stopped, NULL)) {
		hf_child_kill(c, "cannot be told to stop");
		return;
	}
	c->state = HF_CHILD_STOPPING;
	hf_timer_in(c->timer, most_ns);		/* kills */
}

static bool stage_done(const struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (stages[p->stop_stage].roles & 1U << i && p->children[i].pid)
			return false;
	return true;
}

static void stage_begin(struct hf_parent *p)
{
	for (int i = 1; i < HF_PROCS; i++)
		if (stages[p->stop_stage].roles & 1U << i)
			stop_one(&p->children[i], stages[p->stop_stage].most_ns);
}

void hf_stop_begin(struct hf_parent *p)
{
	p->stop_stage = 0;
	stage_begin(p);
	hf_stop_next(p);
}

/* Goes on to the next stage once all of this one are gone. */
void hf_stop_next(struct hf_parent *p)
{
	while (stage_done(p)) {
		if (++p->stop_stage == STAGES) {
			hf_loop_stop(p->env.loop, 0);
			return;
		}
		stage_begin(p);
	}
}
