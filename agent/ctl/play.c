// SPDX-License-Identifier: GPL-2.0
/*
 * Plays a stream: the file is checked whole, a lease is asked for, then one
 * frame after the other at its time; or one frame of foci again and again. Pacing
 * and words only; what may be emitted is the governor's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

#define SLICE_NS	50000000ULL	/* how long a trip or Ctrl-C may go unnoticed */
#define PROGRESS_NS	200000000ULL
#define FOCUS_NS	50000000ULL	/* between frames of a focus that stands: below any usual HOLD */
#define FOCUS_MAX_MS	86400000

const struct ctl_option play_options[] = {
	{ "rate", 'r', "HZ", "frames a second (default: what the file states)" },
	{ "amp", 'a', "AMP", "amplitude for CSV files, e.g. 80% (default 100%)" },
	{ "attenuate", 'A', NULL, "scale refused frames down instead" },
	{ "skip-refused", 's', NULL, "go on after a refused frame" },
	{ "loop", 'l', "N", "play N times, or \"forever\"" },
	{ "arm", 257, NULL, "arm first, if the array is silent" },
	{ "keep", 258, NULL, "no keeper there? be it, in a process of its own, and arm" },
	{ "quiet", 'q', NULL, "no progress" },
	{ NULL, 0, NULL, NULL },
};

const struct ctl_option focus_options[] = {
	{ "at", 'p', "X,Y,Z", "position in mm; again: several foci at the same time" },
	{ "amp", 'a', "AMP", "share of the drive, of all foci together (default 100%)" },
	{ "for", 'f', "TIME", "how long, e.g. 10s (default: until Ctrl-C)" },
	{ "rate", 'r', "HZ", "frames a second (default 20)" },
	{ "attenuate", 'A', NULL, "scale refused frames down instead" },
	{ "skip-refused", 's', NULL, "go on after a refused frame" },
	{ "arm", 257, NULL, "arm first, if the array is silent" },
	{ "keep", 258, NULL, "no keeper there? be it, in a process of its own, and arm" },
	{ NULL, 0, NULL, NULL },
};

struct play {
	struct ctl *c;
	const struct ctl_play *req;
	struct holdfast_stream *stream;	/* NULL: @frame again and again */
	struct holdfast_array *lease;
	uint64_t interval_ns;
	uint32_t channels;	/* of the array */
	bool arm, bar;
	pid_t keeper;		/* our own; 0: none */
	int keeper_sock;
	struct holdfast_frame *frame;
	uint64_t sent, attenuated, refused;
	uint64_t start_ns, shown_ns;
	uint32_t told;		/* limit whose refusals were explained already */
};

static int rate_parse(const char *text, uint64_t *interval_ns)
{
	char *end;
	double hz = strtod(text, &end);

	if (end == text || *end || !(hz >= 0.1 && hz <= 1e6)) {
		fprintf(stderr, "holdfastctl: --rate: \"%s\" where 0.1 to 1000000 is required\n",
			text);
		return -1;
	}
	*interval_ns = (uint64_t)(1e9 / hz + 0.5);
	return 0;
}

static int option(struct ctl_play *p, int key)
{
	int64_t v;

	switch (key) {
	case 'r':
		return rate_parse(optarg, &p->interval_ns);
	case 'a':
		if (ctl_parse_value(optarg, "q16", 0, 65535, "--amp", &v))
			return -1;
		p->amp = (uint16_t)v;
		return 0;
	case 'A':
		p->flags |= HOLDFAST_FRAME_ATTENUATE;
		return 0;
	case 's':
		p->skip = true;
		return 0;
	case 'l':
		if (strcmp(optarg, "forever"))
			return ctl_parse_u64(optarg, 1, UINT64_MAX / 2, "--loop", &p->loops);
		p->loops = UINT64_MAX;
		return 0;
	case 257:
		p->arm = true;
		return 0;
	case 258:
		p->keep = true;
		return 0;
	case 'q':
		p->quiet = true;
		return 0;
	default:
		return -1;
	}
}

/* The rights that the frames need: raw ones for phases of their own. */
static uint32_t rights_needed(const struct play *p)
{
	return HOLDFAST_RIGHT_FRAMES | (p->stream ? HOLDFAST_RIGHT_RAW : 0) |
	       (p->arm ? HOLDFAST_RIGHT_ARM : 0);
}

static uint32_t frames_of(const struct play *p)
{
	return p->stream ? holdfast_stream_frames(p->stream) : 1;
}

/* Another process, so that no mistake of this one can keep a beat going. */
static int own_keeper(struct play *p, const struct holdfast_lease_request *req)
{
	char text[HOLDFAST_TEXT_LEN];
	int sock[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return ctl_fail(-errno, "socketpair");
	p->keeper = fork();
	if (p->keeper < 0)
		return ctl_fail(-errno, "fork");
	if (!p->keeper) {
		struct ctl_keep k = { .sock = sock[1], .quiet = true };

		/* It lives as long as our end of the socket, whatever the terminal sends. */
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		close(sock[0]);
		_exit(ctl_keep_run(p->c, &k));
	}
	close(sock[1]);
	p->keeper_sock = sock[0];
	ret = holdfast_lease_request_on(&p->lease, sock[0], req, 5000, text);
	if (!ret)
		return 0;
	fprintf(stderr, "holdfastctl: no keeper of our own: %s\n", text);
	return ctl_exit_of(ret);
}

static int get_lease(struct play *p)
{
	struct holdfast_lease_request req = { .rights = 0 };
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_array *a;
	struct holdfast_info info;
	int ret = ctl_open(p->c, &a, 0);

	if (ret)
		return ret;
	ret = holdfast_info(a, &info);
	holdfast_close(a);
	if (ret)
		return ctl_fail(ret, "array");
	if (p->stream && info.channels != holdfast_stream_channels(p->stream)) {
		fprintf(stderr, "holdfastctl: the file has %" PRIu32 " channels, the array %" PRIu32 "\n",
			holdfast_stream_channels(p->stream), info.channels);
		return CTL_FAILED;
	}
	p->channels = info.channels;
	req.array = info.index;
	req.rights = rights_needed(p);
	snprintf(req.label, sizeof(req.label), "holdfastctl %s", p->stream ? "play" : "focus");
	ret = holdfast_lease_request(&p->lease, p->c->socket, &req, 5000, text);
	if (!ret)
		return 0;
	if (p->req->keep && (ret == -ENOENT || ret == -ECONNREFUSED)) {
		p->arm = true;
		req.rights |= HOLDFAST_RIGHT_ARM;
		return own_keeper(p, &req);
	}
	fprintf(stderr, "holdfastctl: %s\n", text);
	return ret == -ENOENT ? CTL_NO_KEEPER : ctl_exit_of(ret);
}

static int arm(struct play *p)
{
	struct holdfast_reason r = { 0 };
	struct holdfast_status st;
	int ret = holdfast_status(p->lease, &st);

	if (ret)
		return ctl_fail(ret, "status");
	if (st.state == HOLDFAST_STATE_TRIPPED)
		return ctl_tripped(p->lease);
	if (!p->arm || st.state != HOLDFAST_STATE_SILENT)
		return 0;
	ret = holdfast_arm(p->lease, &r);
	return ret ? ctl_fail_reason(ret, &r, "arm") : 0;
}

static void progress(struct play *p, uint32_t i, bool last)
{
	uint64_t now = ctl_now_ns();
	uint32_t n = frames_of(p), done = (uint32_t)((i + 1ULL) * 30 / n);
	double s = (double)(now - p->start_ns) / 1e9;

	if (!p->bar || (!last && now - p->shown_ns < PROGRESS_NS))
		return;
	p->shown_ns = now;
	fprintf(stderr,
		"\r[%.*s%*s] %" PRIu32 "/%" PRIu32 "  %.1f frames/s  %" PRIu64 " attenuated  %" PRIu64 " refused\033[K",
		(int)done, "##############################", (int)(30 - done), "", i + 1, n,
		s > 0 ? (double)p->sent / s : 0.0, p->attenuated, p->refused);
	if (last)
		fputc('\n', stderr);
}

/* Says each kind of refusal once in a row. */
static void explain(struct play *p, uint32_t i, const struct holdfast_frame_result *r)
{
	char text[HOLDFAST_TEXT_LEN];

	if (p->told == r->reason.limit)
		return;
	p->told = r->reason.limit;
	fprintf(stderr, "%sholdfastctl: frame %" PRIu32 " refused: %s\n", p->bar ? "\r\033[K" : "",
		i, holdfast_strerror_reason(&r->reason, text, sizeof(text)));
}

/* One frame and its verdict. 0: go on; else the exit code. */
static int send_frame(struct play *p, uint32_t i)
{
	struct holdfast_frame_result r = { 0 };
	uint32_t count = 1;
	int ret;

	if (p->stream) {
		const struct holdfast_frame *f = holdfast_stream_frame(p->stream, i);

		memcpy(p->frame, f, f->size);
		p->frame->flags = p->req->flags;
	}
	ret = holdfast_submit(p->lease, p->frame, p->frame->size, &r, &count);
	if (ret == -EINTR || (!ret && !count))
		return 0;	/* a signal: the loop looks */
	if (!ret)
		ret = -(int)r.error;
	p->sent++;
	p->attenuated += !ret && r.verdict == HOLDFAST_VERDICT_ATTENUATE;
	if (!ret) {
		p->told = HOLDFAST_LIM_NONE;
		return 0;
	}
	if (ret == -ESHUTDOWN)
		return ctl_tripped(p->lease);
	if (ret != -ERANGE)
		return ctl_fail(ret, "frame %" PRIu32, i);
	p->refused++;
	explain(p, i, &r);
	return p->req->skip ? 0 : CTL_REFUSED;
}

/* Waits for @when. 0: it is time; else the exit code of what came in between. */
static int wait_until(struct play *p, uint64_t when)
{
	struct holdfast_status st;

	for (;;) {
		uint64_t now = ctl_now_ns(), next = now + SLICE_NS < when ? now + SLICE_NS : when;
		struct timespec ts = { .tv_sec = (time_t)(next / 1000000000ULL),
				       .tv_nsec = (long)(next % 1000000000ULL) };

		if (ctl_interrupted())
			return CTL_INTERRUPTED;
		if (!holdfast_status(p->lease, &st) && st.state == HOLDFAST_STATE_TRIPPED)
			return ctl_tripped(p->lease);
		if (now >= when)
			return 0;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
}

static int play_all(struct play *p)
{
	uint32_t n = frames_of(p);
	uint64_t when;

	p->start_ns = ctl_now_ns();
	when = p->start_ns;
	for (uint64_t k = 0; k < p->req->loops; k++) {
		for (uint32_t i = 0; i < n; i++) {
			int ret = wait_until(p, when);

			/* No hurrying after a delay: closer frames are faster than computed. */
			when = ctl_now_ns() + p->interval_ns;
			if (!ret)
				ret = send_frame(p, i);
			progress(p, i, ret || (i + 1 == n && k + 1 == p->req->loops));
			if (ret)
				return ret;
		}
	}
	/* The last frame has its time, too. */
	return wait_until(p, when);
}

static int play(struct play *p)
{
	const char *path = p->req->path;
	char text[HOLDFAST_TEXT_LEN];
	int ret = holdfast_stream_load(&p->stream, path, p->req->amp, text);

	if (ret) {
		fprintf(stderr, "holdfastctl: %s: %s\n", path, text);
		return CTL_FAILED;
	}
	if (!p->interval_ns)
		p->interval_ns = holdfast_stream_interval_ns(p->stream);
	if (!p->interval_ns)
		return ctl_usage(p->c, "%s states no frame rate: give --rate", path);
	p->frame = malloc(holdfast_frame_size(holdfast_stream_channels(p->stream),
					      HOLDFAST_MAX_FOCI));
	if (!p->frame)
		return ctl_fail(-ENOMEM, "frame");
	ctl_catch_signals();
	ret = get_lease(p);
	if (!ret)
		ret = arm(p);
	if (!ret)
		ret = play_all(p);
	return ret;
}

/* The share of the drive is split evenly; what is left over of it is the first's. */
static int focus_fill(struct play *p, const struct ctl_focus *r)
{
	struct holdfast_focus foci[HOLDFAST_MAX_FOCI];
	uint16_t each = (uint16_t)(r->play.amp / r->points);
	int ret;

	for (size_t i = 0; i < r->points; i++) {
		foci[i] = holdfast_focus_at(&r->at[i]);
		foci[i].amp = each;
	}
	foci[0].amp = (uint16_t)(r->play.amp - each * (r->points - 1));
	ret = holdfast_focus_frame_fill(p->frame, holdfast_frame_size(0, HOLDFAST_MAX_FOCI),
					p->channels, foci, (uint32_t)r->points, r->play.flags, 0);
	return ret < 0 ? ctl_fail(ret, "frame") : 0;
}

static int focus(struct play *p, const struct ctl_focus *r)
{
	int ret;

	p->frame = malloc(holdfast_frame_size(0, HOLDFAST_MAX_FOCI));
	if (!p->frame)
		return ctl_fail(-ENOMEM, "frame");
	ctl_catch_signals();
	ret = get_lease(p);
	if (!ret)
		ret = focus_fill(p, r);
	if (!ret)
		ret = arm(p);
	return ret ? ret : play_all(p);
}

static void finish(struct play *p, int ret)
{
	if (ret == CTL_INTERRUPTED) {
		int err = holdfast_silence(p->lease, 0);

		if (err)
			ctl_fail(err, "silence");
		else
			fprintf(stderr, "%sholdfastctl: silenced\n", p->bar ? "\n" : "");
	}
	if (p->lease && !p->req->quiet && !p->bar)
		fprintf(stderr, "%" PRIu64 " frames sent, %" PRIu64 " attenuated, %" PRIu64 " refused\n",
			p->sent, p->attenuated, p->refused);
	holdfast_close(p->lease);
	if (p->keeper > 0) {
		close(p->keeper_sock);
		waitpid(p->keeper, NULL, 0);
	}
	holdfast_stream_free(p->stream);
	free(p->frame);
}

static int focus_option(struct ctl_focus *r, int key)
{
	int64_t v;

	switch (key) {
	case 'p':
		if (r->points == HOLDFAST_MAX_FOCI) {
			fprintf(stderr, "holdfastctl: --at: more than %u foci\n",
				HOLDFAST_MAX_FOCI);
			return -1;
		}
		return ctl_parse_point(optarg, '\0', &r->at[r->points++], NULL);
	case 'f':
		if (ctl_parse_value(optarg, "ms", 1, FOCUS_MAX_MS, "--for", &v))
			return -1;
		r->for_ms = (uint64_t)v;
		return 0;
	default:
		return option(&r->play, key);
	}
}

int focus_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_focus *r = &c->req.focus;
	int key;

	*r = (struct ctl_focus){ .play = { .loops = UINT64_MAX, .amp = 65535, .interval_ns = FOCUS_NS,
					   .flags = HOLDFAST_FRAME_WAIT } };
	while ((key = ctl_option_next(c, argc, argv)) != -1)
		if (key == '?' || focus_option(r, key))
			return ctl_option_exit(c);
	if (!r->points)
		return ctl_usage(c, "--at X,Y,Z is missing");
	return ctl_no_more(c, argc, argv);
}

int play_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_play *r = &c->req.play;
	int key;

	*r = (struct ctl_play){ .loops = 1, .amp = 65535, .flags = HOLDFAST_FRAME_WAIT };
	while ((key = ctl_option_next(c, argc, argv)) != -1)
		if (key == '?' || option(r, key))
			return ctl_option_exit(c);
	if (argc - optind != 1)
		return ctl_usage(c, "exactly one FILE is required");
	r->path = argv[optind];
	return -1;
}

int cmd_focus(struct ctl *c)
{
	const struct ctl_focus *r = &c->req.focus;
	struct ctl_play req = r->play;
	struct play p = { .c = c, .req = &req, .interval_ns = req.interval_ns, .arm = req.arm,
			  .told = HOLDFAST_LIM_NONE };
	int ret;

	if (r->for_ms)
		req.loops = r->for_ms * 1000000 / req.interval_ns ?: 1;
	ret = focus(&p, r);
	finish(&p, ret);
	return ret;
}

int cmd_play(struct ctl *c)
{
	const struct ctl_play *r = &c->req.play;
	struct play p = { .c = c, .req = r, .interval_ns = r->interval_ns, .arm = r->arm,
			  .told = HOLDFAST_LIM_NONE };
	int ret;

	p.bar = !r->quiet && isatty(STDERR_FILENO);
	ret = play(&p);
	finish(&p, ret);
	return ret;
}
