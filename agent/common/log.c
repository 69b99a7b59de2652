// SPDX-License-Identifier: GPL-2.0
/*
 * Structured logging: the journal's native protocol, else lines of JSON on
 * standard error. It may lose lines (and says how many), it never waits. To be
 * called from the loop's thread only; secrets must never be handed to it.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#define JOURNAL		"/run/systemd/journal/socket"
#define TEXT_LEN	1024
#define LINE_LEN	2048		/* below PIPE_BUF: a line is written whole or not at all */
#define WINDOW_NS	(10 * HF_S)
#define PER_WINDOW	20
#define EVENTS		32		/* events counted at the same time */

struct tally {
	char event[48];
	uint64_t since_ns;
	unsigned int seen;		/* in this window; beyond PER_WINDOW: not said */
};

static struct {
	enum hf_proc self;
	const struct hf_clock *clock;
	enum hf_log_level most;
	int journal;			/* -1: standard error */
	unsigned long lost;		/* lines that nobody took */
	struct tally tallies[EVENTS];
} hf_log_state = {
	.clock = &hf_system_clock,
	.most = HF_LOG_INFO,
	.journal = -1,
};

void hf_log_open(enum hf_proc self, const struct hf_clock *clock)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	hf_log_state.self = self;
	hf_log_state.clock = clock;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		fd = -1;
	}
	hf_log_state.journal = fd;
}

void hf_log_level(enum hf_log_level most)
{
	hf_log_state.most = most;
}

static bool plain(int32_t c)
{
	return c >= 0x20 && c != '"' && c != '\\' && !(c >= 0x7f && c <= 0x9f) &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

int hf_log_level_parse(const char *word)
{
	static const char *const words[] = {
		[HF_LOG_ERROR] = "error", [HF_LOG_WARN] = "warn", [HF_LOG_NOTICE] = "notice",
		[HF_LOG_INFO] = "info", [HF_LOG_DEBUG] = "debug",
	};

	for (int i = HF_LOG_ERROR; word && i <= HF_LOG_DEBUG; i++)
		if (!strcmp(words[i], word))
			return i;
	return -EINVAL;
}

/* Text of any origin as one line that JSON can quote: each byte that is not plain as \u00NN. */
static void escape(char *out, size_t room, const char *in)
{
	size_t len = strlen(in);

	while (len) {
		size_t used = 1;
		bool ok = plain(hf_utf8_next(in, len, &used));
		size_t need = ok ? used : 6;

		if (need >= room)
			break;
		if (ok)
			memcpy(out, in, used);
		else
			snprintf(out, room, "\\u%04x", (unsigned char)in[0]);
		used = ok ? used : 1;
		in += used;
		len -= used;
		out += need;
		room -= need;
	}
	*out = '\0';
}

static void lost(void)
{
	hf_log_state.lost++;
}

static void to_journal(const char *line, size_t len)
{
	if (send(hf_log_state.journal, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		lost();
}

static void to_stderr(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* A pipe that polls writable takes PIPE_BUF bytes without waiting. */
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) ||
	    write(STDERR_FILENO, line, len) != (ssize_t)len)
		lost();
}

static const char *stream_name(enum hf_log_stream s)
{
	static const char *const words[] = {
		[HF_LOG_APP] = "app", [HF_LOG_SECURITY] = "security",
		[HF_LOG_PERF] = "performance", [HF_LOG_AUDIT] = "audit",
	};

	return words[s];
}

/* @text is escaped. */
static void emit(enum hf_log_stream stream, enum hf_log_level level, const char *event,
		 const struct hf_corr *corr, const char *text)
{
	char line[LINE_LEN], id[HF_CORR_TEXT] = "", utc[HF_UTC_LEN];
	int len;

	if (corr && !hf_corr_none(corr))
		hf_corr_text(corr, id);
	if (hf_log_state.journal >= 0)
		len = snprintf(line, sizeof(line),
			       "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=holdfastd\n"
			       "HOLDFAST_PROCESS=%s\nHOLDFAST_EVENT=%s\nHOLDFAST_STREAM=%s\n"
			       "HOLDFAST_CORRELATION=%s\n", text, (int)level,
			       hf_proc_name(hf_log_state.self), event, stream_name(stream), id);
	else
		len = snprintf(line, sizeof(line),
			       "{\"time\":\"%s\",\"level\":%d,\"process\":\"%s\",\"stream\":\"%s\","
			       "\"event\":\"%s\",\"correlation\":\"%s\",\"message\":\"%s\"}\n",
			       hf_utc(hf_real_ns(hf_log_state.clock), utc), (int)level,
			       hf_proc_name(hf_log_state.self), stream_name(stream), event, id,
			       text);
	if (len >= (int)sizeof(line))
		lost();
	else if (hf_log_state.journal >= 0)
		to_journal(line, (size_t)len);
	else
		to_stderr(line, (size_t)len);
}

/* What was kept back in a window that is over. */
static void tally_say(struct tally *t)
{
	char text[96];

	if (t->seen <= PER_WINDOW)
		return;
	snprintf(text, sizeof(text), "%u more in %u s, suppressed", t->seen - PER_WINDOW,
		 (unsigned int)(WINDOW_NS / HF_S));
	emit(HF_LOG_APP, HF_LOG_WARN, t->event, NULL, text);
}

/* Return: may this one be said? */
static bool tally_take(const char *event)
{
	uint64_t now_ns = hf_mono_ns(hf_log_state.clock);
	struct tally *mine = NULL, *oldest = hf_log_state.tallies;

	for (struct tally *t = hf_log_state.tallies; t < hf_log_state.tallies + EVENTS; t++) {
		if (t->event[0] && now_ns - t->since_ns >= WINDOW_NS) {
			tally_say(t);
			*t = (struct tally){ 0 };
		}
		if (!strncmp(t->event, event, sizeof(t->event) - 1))
			mine = t;
		if (!t->event[0] || (oldest->event[0] && t->since_ns < oldest->since_ns))
			oldest = t;
	}
	if (!mine) {
		mine = oldest;
		tally_say(mine);
		*mine = (struct tally){ .since_ns = now_ns };
		snprintf(mine->event, sizeof(mine->event), "%s", event);
	}
	return ++mine->seen <= PER_WINDOW;
}

void hf_log(enum hf_log_stream stream, enum hf_log_level level, const char *event,
	    const struct hf_corr *corr, const char *fmt, ...)
{
	char raw[TEXT_LEN], text[TEXT_LEN];
	va_list ap;

	if (level > hf_log_state.most || !tally_take(event))
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	escape(text, sizeof(text), raw);
	if (hf_log_state.lost) {
		char count[64];

		snprintf(count, sizeof(count), "%lu lines were lost", hf_log_state.lost);
		hf_log_state.lost = 0;
		emit(HF_LOG_APP, HF_LOG_WARN, "log.lost", NULL, count);
	}
	emit(stream, level, event, corr, text);
}
