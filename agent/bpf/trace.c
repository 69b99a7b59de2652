// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-trace: all that one array does, to a file that Perfetto opens. Takes
 * records from its BPF programs and gives them to trace_file.c; changes nothing
 * but that file.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm.h"
#include "libholdfast.h"
#include "need.h"
#include "tool.h"
#include "trace.skel.h"
#include "trace_file.h"

#define POLL_MS	100
#define MIB	(1024ULL * 1024)

static const char usage_text[] =
	"Usage: holdfast-trace [OPTION...] FILE\n"
	"\n"
	"Writes what an array does (frames, outputs, states, trips, sensors, ticks, queues) to FILE,\n"
	"in Chrome's trace event format: open it with Perfetto. Until Ctrl-C.\n"
	"\n"
	"  -i, --index N      array N; may be left out if there is only one\n"
	"  -p, --pid PID      frames, outputs and queues of this process alone\n"
	"  -d, --duration S   end after S seconds\n"
	"  -s, --size MIB     end when FILE is so large (default 512)\n"
	"  -b, --buffer KIB   ring buffer (default 4096; rounded up to a power of two)\n"
	"  -v, --verbose      what libbpf says\n"
	"  -h, --help\n"
	"\n"
	HF_USAGE_EXIT
	"holdfast-trace(1) says more.\n";

struct trace {
	struct hf_trace_bpf *bpf;
	struct hf_losses *lost;
	struct hf_comms *comms;
	struct hf_trace *file;
	FILE *f;
	uint64_t lost_said;
	uint64_t size_max;
	struct hf_options o;
};

static int on_event(void *arg, void *data, size_t size)
{
	struct trace *t = arg;

	hf_trace_add(t->file, data, size);
	return 0;
}

static int look_for_losses(struct trace *t)
{
	int ret = hf_losses_read(t->lost, t->bpf->obj);
	uint64_t n = hf_losses_sum(t->lost);

	if (!ret && n != t->lost_said) {
		hf_trace_lost(t->file, n - t->lost_said, hf_mono_ns());
		t->lost_said = n;
	}
	return ret;
}

/* The state the array is in, by its class device; "" if it is gone. */
static void state_now(uint32_t index, char state[16])
{
	char path[64];
	ssize_t n;
	int fd;

	state[0] = '\0';
	snprintf(path, sizeof(path), "/sys/class/holdfast/holdfast%u/state", index);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, state, 15);
	close(fd);
	state[n > 0 ? n : 0] = '\0';
	state[strcspn(state, "\n")] = '\0';
}

static const char *follow(struct trace *t, struct ring_buffer *ring, uint64_t end_ns, int *ret)
{
	while (!hf_tool_wait(0)) {
		*ret = ring_buffer__poll(ring, POLL_MS);
		if (*ret >= 0 || *ret == -EINTR)
			*ret = look_for_losses(t);
		if (!*ret && ferror(t->f))
			*ret = -EIO;
		if (*ret)
			return "error";
		if (hf_trace_bytes(t->file) >= t->size_max)
			return "size";
		if (end_ns && hf_mono_ns() >= end_ns)
			return "duration";
	}
	return "signal";
}

static int run(struct trace *t, uint64_t duration_s)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(t->bpf->maps.ring), on_event, t,
						    NULL);
	uint64_t now_ns = hf_mono_ns();
	const char *why;
	char state[16];
	int ret = 0;

	if (!ring) {
		warn("ring buffer");
		return HF_EXIT_ERROR;
	}
	hf_tool_ready(bpf_program__autoload(t->bpf->progs.queue) ? "" :
		      " (queue: not in this driver)");
	why = follow(t, ring, duration_s ? now_ns + duration_s * HF_NS : 0, &ret);
	hf_trace_bpf__detach(t->bpf);
	now_ns = hf_mono_ns();
	if (!ret)
		ret = ring_buffer__consume(ring);
	if (ret >= 0)
		ret = look_for_losses(t);
	ring_buffer__free(ring);
	state_now(t->o.index, state);
	hf_trace_end(t->file, state[0] ? state : NULL, why, hf_losses_json(t->lost), now_ns);
	if (ret) {
		warnx("%s", strerror(-ret));
		return HF_EXIT_ERROR;
	}
	fprintf(stderr, "%s: %" PRIu64 " events, %" PRIu64 " KiB, ended by %s\n",
		program_invocation_short_name, hf_trace_written(t->file),
		hf_trace_bytes(t->file) / 1024, why);
	return hf_losses_say(t->lost);
}

static int start(struct trace *t)
{
	struct hf_point points[] = {
		HF_POINT_FRAME, HF_POINT_OUTPUT, HF_POINT_STATE, HF_POINT_TRIP, HF_POINT_SENSOR,
		HF_POINT_TICK, HF_POINT_QUEUE,
	};
	size_t n = sizeof(points) / sizeof(points[0]);
	int ret = hf_need(points, n, true);

	if (ret)
		return ret;
	t->bpf = hf_trace_bpf__open();
	if (!t->bpf) {
		warn("BPF programs");
		return HF_EXIT_ERROR;
	}
	t->bpf->rodata->only_pid = t->o.pid;
	bpf_program__set_autoload(t->bpf->progs.queue, points[n - 1].there);
	return HF_EXIT_OK;
}

/* The array is known from here on. */
static int attach(struct trace *t, uint32_t kib)
{
	int ret;

	t->bpf->rodata->only_index = t->o.index;
	ret = bpf_map__set_max_entries(t->bpf->maps.ring, hf_ring_bytes(kib));
	if (!ret)
		ret = hf_trace_bpf__load(t->bpf);
	if (!ret)
		ret = hf_trace_bpf__attach(t->bpf);
	return ret ? hf_not_taken(ret) : HF_EXIT_OK;
}

/* The array that is meant. */
static int choose(struct trace *t)
{
	uint32_t there[2];
	char path[64];
	int n;

	if (t->o.index != HF_ALL_ARRAYS) {
		snprintf(path, sizeof(path), "/sys/class/holdfast/holdfast%u", t->o.index);
		if (!access(path, F_OK))
			return HF_EXIT_OK;
		warnx("there is no array %u", t->o.index);
		return HF_EXIT_ERROR;
	}
	n = holdfast_enumerate(there, 2);
	if (n == 1) {
		t->o.index = there[0];
		return HF_EXIT_OK;
	}
	warnx(n > 1 ? "there are several arrays: say which one (-i)" : "there is no array");
	return n > 1 ? HF_EXIT_USAGE : HF_EXIT_ERROR;
}

/* Who played when is for the caller's eyes. */
static FILE *make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		warn("%s", path);
	return f;
}

static int record(struct trace *t, const char *path, uint32_t kib, uint64_t duration_s)
{
	uint64_t began_ns = hf_mono_ns();
	int ret = attach(t, kib);

	if (ret)
		return ret;
	t->f = make_file(path);
	if (!t->f)
		return HF_EXIT_ERROR;
	t->file = hf_trace_new(t->f, t->o.index, t->comms, began_ns);
	if (!t->file)
		errx(HF_EXIT_ERROR, "no memory");
	ret = run(t, duration_s);
	if (ferror(t->f) | fclose(t->f)) {
		warnx("%s: not all could be written", path);
		ret = HF_EXIT_ERROR;
	}
	hf_trace_free(t->file);
	return ret;
}

int main(int argc, char **argv)
{
	/* All but -j: the file is JSON as it is. */
	static const struct option options[] = {
		{ "index", required_argument, NULL, 'i' }, { "pid", required_argument, NULL, 'p' },
		{ "duration", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' },
		{ "buffer", required_argument, NULL, 'b' }, { "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct trace t = {
		.o = { .usage = usage_text, .index = HF_ALL_ARRAYS }, .size_max = 512 * MIB,
	};
	uint64_t duration_s = 0;
	uint32_t kib = 4096;
	int c, ret;

	while ((c = getopt_long(argc, argv, "i:p:d:s:b:vh", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			duration_s = hf_number("duration", optarg, 1, 86400 * 365);
			break;
		case 's':
			t.size_max = hf_number("size", optarg, 1, 1024 * 1024) * MIB;
			break;
		case 'b':
			kib = (uint32_t)hf_number("buffer", optarg, 4, HF_RING_KIB_MAX);
			break;
		default:
			hf_option(&t.o, c);
		}
	}
	if (optind + 1 != argc) {
		warnx(optind < argc ? "one argument too many" : "say which file to write");
		fputs(usage_text, stderr);
		return HF_EXIT_USAGE;
	}

	hf_tool_begin(t.o.verbose);
	t.comms = calloc(1, sizeof(*t.comms));
	t.lost = hf_losses_new();
	if (!t.comms || !t.lost)
		errx(HF_EXIT_ERROR, "no memory");
	t.comms->read = hf_comm_read;
	ret = start(&t);
	if (!ret)
		ret = choose(&t);
	if (!ret)
		ret = record(&t, argv[optind], kib, duration_s);
	hf_trace_bpf__destroy(t.bpf);
	free(t.lost);
	free(t.comms);
	return ret;
}
