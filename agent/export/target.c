// SPDX-License-Identifier: GPL-2.0
/*
 * One place that keeps checkpoints: the newest one waits for it, is sent at
 * most every so often, tried again a few times, and then let alone until its
 * breaker lets a probe through. Nothing is queued: a newer checkpoint says all
 * that an older one says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breaker.h"
#include "export.h"
#include "log.h"
#include "retry.h"


/* A call a minute at most: a window of ten seconds would never see three of them. */
static const struct hf_retry_rule retry_rule = {
	.tokens = 10, .back_permille = 200, .attempts = 3, .base_ns = HF_S, .cap_ns = 60 * HF_S,
};

struct exp_target {
	struct hf_loop *loop;
	const struct hf_random *random;
	struct exp_settings s;
	struct hf_timer *timer;
	struct exp_connection *sending;
	struct exp_checkpoint newest, sent;	/* @sent: under way */
	bool waiting;				/* @newest is not where it should be */
	bool ever;				/* something has been anchored */
	uint64_t anchored_size, anchored_ns, anchored_mono_ns;
	struct hf_breaker breaker;
	struct hf_breaker_ticket ticket;	/* of what is under way */
	struct hf_retry_budget retries;
	uint64_t failures;
	uint32_t attempts;			/* of this turn, failed */
	exp_anchored_fn fn;
	void *arg;
	char error[HF_ERR_LEN];
};

static void target_try(struct exp_target *t);

static void on_timer(void *arg)
{
	target_try(arg);
}

int exp_target_new(struct exp_target **out, struct hf_loop *loop, const struct hf_random *random,
		   const struct exp_settings *s, exp_anchored_fn fn, void *arg)
{
	struct exp_target *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->random = random;
	t->fn = fn;
	t->arg = arg;
	ret = hf_timer_new(&t->timer, loop, on_timer, t);
	if (ret) {
		free(t);
		return ret;
	}
	hf_breaker_init(&t->breaker, &exp_breaker_rule, random);
	hf_retry_init(&t->retries, &retry_rule);
	t->s = *s;
	t->s.route.trust = s->trust;
	*out = t;
	return 0;
}

void exp_target_free(struct exp_target *t)
{
	if (!t)
		return;
	exp_connection_free(t->sending);
	hf_timer_free(t->timer);
	if (t->s.fd >= 0)
		close(t->s.fd);
	if (t->s.trust)
		gnutls_certificate_free_credentials(t->s.trust);
	free(t);
}

const struct exp_settings *exp_target_settings(const struct exp_target *t)
{
	return &t->s;
}

void exp_target_hand_over(struct exp_target *t, struct exp_settings *to)
{
	exp_connection_free(t->sending);
	t->sending = NULL;
	to->fd = t->s.fd;
	to->trust = t->s.trust;
	t->s.fd = -1;
	t->s.trust = NULL;
}

bool exp_target_idle(const struct exp_target *t)
{
	return !t->waiting && !t->sending;
}

static const char *place_of(const struct exp_target *t)
{
	return t->s.kind == EXP_FILE ? t->s.path : t->s.host;
}

static void failed(struct exp_target *t, const char *why)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(t->loop)), wait;

	t->failures++;
	snprintf(t->error, sizeof(t->error), "%s", why);
	hf_log_app(HF_LOG_WARN, "anchor.failed", NULL, "%s: %s", place_of(t), why);
	wait = hf_retry_failed(&t->retries, t->random, ++t->attempts, 0, now, 0);
	if (!wait) {
		/* This turn is over; an open breaker may put the next one off. */
		t->attempts = 0;
		wait = t->s.every_ns;
	}
	if (hf_breaker_state(&t->breaker) != HF_BREAKER_CLOSED)
		target_try(t);
	else
		hf_timer_in(t->timer, wait);
}

static void done(void *arg, int ret, const char *why)
{
	struct exp_target *t = arg;
	const struct hf_clock *clock = hf_loop_clock(t->loop);

	t->sending = NULL;
	if (hf_breaker_end(&t->breaker, &t->ticket, ret ? HF_OUTCOME_FAILED : HF_OUTCOME_OK,
			   hf_mono_ns(clock)))
		hf_log_app(ret ? HF_LOG_WARN : HF_LOG_INFO, "breaker", NULL, "%s: %s", place_of(t),
			   hf_breaker_word(hf_breaker_state(&t->breaker)));
	if (ret) {
		failed(t, why);
		return;
	}
	hf_retry_ok(&t->retries);
	t->attempts = 0;
	t->ever = true;
	t->error[0] = '\0';
	t->anchored_size = t->sent.size;
	t->anchored_ns = hf_real_ns(clock);
	t->anchored_mono_ns = hf_mono_ns(clock);
	if (t->waiting && t->newest.size == t->sent.size && !strcmp(t->newest.root, t->sent.root) &&
	    !strcmp(t->newest.origin, t->sent.origin))
		t->waiting = false;
	if (t->waiting)
		hf_timer_in(t->timer, t->s.every_ns);
	t->fn(t->arg, &t->sent);
}

/* All of it on the disk, or none of it in the file. */
static int file_append(int fd, const char *text, size_t len, const char **why)
{
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n;
	int err;

	if (end < 0) {
		*why = strerror(errno);
		return -errno;
	}
	n = write(fd, text, len);
	if (n == (ssize_t)len && !fdatasync(fd))
		return 0;
	err = n < 0 || n == (ssize_t)len ? errno : ENOSPC;
	*why = strerror(err);
	if (ftruncate(fd, end))
		*why = "a part was written and cannot be taken back";
	return -err;
}

static void send_file(struct exp_target *t)
{
	const char *why = "cannot be opened before the next start";
	char text[EXP_TEXT];
	int ret = exp_note(&t->sent, text);

	if (ret > 0)
		ret = t->s.fd < 0 ? -EBADF : file_append(t->s.fd, text, (size_t)ret, &why);
	done(t, ret, why);
}

static void send_syslog(struct exp_target *t)
{
	char text[EXP_TEXT], host[65] = "-";
	int ret;

	if (gethostname(host, sizeof(host) - 1) || !host[0])
		strcpy(host, "-");
	ret = exp_syslog(&t->sent, hf_real_ns(hf_loop_clock(t->loop)), host, text);
	if (ret > 0 && t->s.kind == EXP_SYSLOG_TLS && !t->s.trust)
		ret = -EBADF;
	if (ret > 0)
		ret = exp_send(&t->sending, t->loop, &t->s.route, text, (size_t)ret, EXP_SEND_NS, done, t);
	if (ret)
		done(t, ret, ret == -EBADF ? "authorities cannot be read before the next start" :
		     strerror(-ret));
}

static void send_newest(struct exp_target *t)
{
	hf_timer_stop(t->timer);
	t->sent = t->newest;
	if (t->s.kind == EXP_FILE)
		send_file(t);
	else
		send_syslog(t);
}

static void target_try(struct exp_target *t)
{
	uint64_t wait;

	if (t->sending || !t->waiting)
		return;
	wait = hf_breaker_begin(&t->breaker, hf_mono_ns(hf_loop_clock(t->loop)), &t->ticket);
	if (wait)
		hf_timer_in(t->timer, wait);
	else
		send_newest(t);
}

void exp_target_offer(struct exp_target *t, const struct exp_checkpoint *cp)
{
	uint64_t now = hf_mono_ns(hf_loop_clock(t->loop));

	t->newest = *cp;
	t->waiting = true;
	if (t->sending || hf_timer_running(t->timer))
		return;
	if (!t->ever || now >= t->anchored_mono_ns + t->s.every_ns)
		target_try(t);
	else
		hf_timer_set(t->timer, t->anchored_mono_ns + t->s.every_ns);
}

/* Once, and past the breaker: there is no later. */
void exp_target_flush(struct exp_target *t)
{
	if (t->sending || !t->waiting)
		return;
	t->ticket = (struct hf_breaker_ticket){ 0 };
	send_newest(t);
}

static const char *place(const struct exp_target *t, char to[EXP_PATH + 8])
{
	if (t->s.kind == EXP_FILE)
		snprintf(to, EXP_PATH + 8, "%s", t->s.path);
	else
		snprintf(to, EXP_PATH + 8, "%s:%u", t->s.host, t->s.port);
	return to;
}

struct hf_finding exp_target_finding(const struct exp_target *t)
{
	char to[EXP_PATH + 8];

	if (hf_breaker_state(&t->breaker) == HF_BREAKER_CLOSED && !(t->waiting && t->error[0]))
		return hf_finding_ok((double)t->failures, NAN);
	return hf_finding(HF_HEALTH_FAIL, (double)t->failures, NAN, "%.60s takes no anchors: %.80s",
			  place(t, to), t->error);
}

json_t *exp_target_stats(const struct exp_target *t)
{
	static const char *const kinds[] = { "file", "syslog_tcp", "syslog_tls" };

	char to[EXP_PATH + 8];

	return json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:s, s:I, s:s}", "kind", kinds[t->s.kind],
			 "to", place(t, to),
			 "anchored_size", (json_int_t)t->anchored_size,
			 "anchored_ns", (json_int_t)t->anchored_ns, "waiting", t->waiting,
			 "failures", (json_int_t)t->failures,
			 "breaker", hf_breaker_word(hf_breaker_state(&t->breaker)),
			 "refused", (json_int_t)t->breaker.refused, "last_error", t->error);
}
