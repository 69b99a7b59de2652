// SPDX-License-Identifier: GPL-2.0
/*
 * One place that keeps checkpoints: the newest one waits for it, is sent at
 * most every so often, and tried again with growing, random waits. Nothing is
 * queued: a newer checkpoint says all that an older one says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "log.h"

#define SEND_NS		(10 * HF_S)
#define RETRY_NS	(1 * HF_S)
#define RETRY_MAX_NS	(300 * HF_S)

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
	uint64_t failures;
	unsigned int tries;			/* failed in a row */
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

/* Full jitter: anything up to a bound that doubles. */
static uint64_t backoff(struct exp_target *t)
{
	uint64_t most = RETRY_NS << (t->tries < 9 ? t->tries : 9), r = 0;

	if (most > RETRY_MAX_NS)
		most = RETRY_MAX_NS;
	if (hf_random_fill(t->random, &r, sizeof(r)))
		return most;
	return r % most + 1;
}

static void done(void *arg, int ret, const char *why)
{
	struct exp_target *t = arg;
	const struct hf_clock *clock = hf_loop_clock(t->loop);

	t->sending = NULL;
	if (ret) {
		t->failures++;
		snprintf(t->error, sizeof(t->error), "%s", why);
		hf_log_app(HF_LOG_WARN, "anchor.failed", NULL, "%s: %s",
			   t->s.kind == EXP_FILE ? t->s.path : t->s.host, why);
		hf_timer_in(t->timer, backoff(t));
		t->tries++;
		return;
	}
	t->tries = 0;
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
		ret = exp_send(&t->sending, t->loop, &t->s.route, text, (size_t)ret, SEND_NS, done, t);
	if (ret)
		done(t, ret, ret == -EBADF ? "authorities cannot be read before the next start" :
		     strerror(-ret));
}

static void target_try(struct exp_target *t)
{
	if (t->sending || !t->waiting)
		return;
	hf_timer_stop(t->timer);
	t->sent = t->newest;
	if (t->s.kind == EXP_FILE)
		send_file(t);
	else
		send_syslog(t);
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

void exp_target_flush(struct exp_target *t)
{
	if (!t->sending)
		target_try(t);
}

json_t *exp_target_stats(const struct exp_target *t)
{
	static const char *const kinds[] = { "file", "syslog_tcp", "syslog_tls" };

	return json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:s}", "kind", kinds[t->s.kind],
			 "to", t->s.kind == EXP_FILE ? t->s.path : t->s.host,
			 "anchored_size", (json_int_t)t->anchored_size,
			 "anchored_ns", (json_int_t)t->anchored_ns, "waiting", t->waiting,
			 "failures", (json_int_t)t->failures, "last_error", t->error);
}
