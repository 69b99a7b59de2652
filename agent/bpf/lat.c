// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-lat: how long judging, putting out and silencing take, as histograms
 * by powers of two. Reads sums that its BPF programs keep; changes nothing.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "hist.h"
#include "lat.h"
#include "lat.skel.h"
#include "need.h"
#include "tool.h"

static const char usage_text[] =
	"Usage: holdfast-lat [OPTION...] [INTERVAL [COUNT]]\n"
	"\n"
	"Histograms of the cost of judging a frame, of the time from submitting it to putting it out,\n"
	"and of trips: onset to silence, detection to silence. Every INTERVAL seconds, COUNT times;\n"
	"without INTERVAL once, at Ctrl-C.\n"
	"\n"
	"  -i, --index N      only array N\n"
	"  -p, --pid PID      only frames of this process (trips belong to no process)\n"
	"  -j, --json         one JSON object a line for each interval\n"
	"  -v, --verbose      what libbpf says\n"
	"  -h, --help\n"
	"\n"
	HF_USAGE_EXIT
	"holdfast-lat(1) says more.\n";

static const struct {
	const char *key;
	const char *title;
} kinds[HF_LAT_KINDS] = {
	[HF_LAT_COST] = { "admission_cost", "admission cost: judging a frame" },
	[HF_LAT_SUBMIT_EMIT] = { "submit_to_emit", "submit to emit: a frame's way to the outputs" },
	[HF_LAT_ONSET_SILENCE] = { "onset_to_silence", "trip: onset to silence" },
	[HF_LAT_DETECT_SILENCE] = { "detect_to_silence", "trip: detection to silence" },
};

struct lat {
	struct hf_lat *bpf;
	struct hf_losses *lost;
	struct hf_log2 *cpu;		/* one of each CPU */
	struct hf_log2 was[HF_LAT_KINDS];
	uint64_t began_ns;
	struct hf_options o;
};

/* Sum over the CPUs since the programs began. */
static int read_kind(struct lat *l, uint32_t kind, struct hf_log2 *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(bpf_map__fd(l->bpf->maps.times), &kind, l->cpu))
		return -errno;
	for (unsigned int i = 0; i < l->lost->cpus; i++)
		hf_log2_add(sum, &l->cpu[i]);
	return 0;
}

static int interval(void *tool)
{
	struct lat *l = tool;
	struct hf_log2 all[HF_LAT_KINDS], part;
	uint64_t now_ns = hf_mono_ns();
	char time[HF_TIME_LEN];
	json_t *j = NULL;
	int ret = 0;

	for (uint32_t i = 0; i < HF_LAT_KINDS && !ret; i++)
		ret = read_kind(l, i, &all[i]);
	if (!ret)
		ret = hf_losses_read(l->lost, l->bpf->obj);
	if (ret)
		return ret;
	hf_time_text(now_ns, time);
	if (l->o.json)
		j = json_pack("{s:s, s:o, s:o, s:o}", "time", time,
			      "monotonic_ns", hf_json_u64(now_ns),
			      "interval_ns", hf_json_u64(now_ns - l->began_ns),
			      "lost", hf_losses_json(l->lost));
	else
		printf("%s  %.1f s\n", time, (double)(now_ns - l->began_ns) / 1e9);
	for (uint32_t i = 0; i < HF_LAT_KINDS; i++) {
		part = hf_log2_since(&all[i], &l->was[i]);
		l->was[i] = all[i];
		if (l->o.json)
			json_object_set_new(j, kinds[i].key, hf_log2_json(&part));
		else
			hf_log2_print(stdout, kinds[i].title, &part);
	}
	l->began_ns = now_ns;
	if (l->o.json)
		return hf_json_line(j);
	if (hf_losses_sum(l->lost))
		printf("lost so far: %" PRIu64 "\n", hf_losses_sum(l->lost));
	return fflush(stdout) ? -EIO : 0;
}

static void detach(void *tool)
{
	struct lat *l = tool;

	hf_lat__detach(l->bpf);
}

static int run(struct lat *l, const struct hf_pace *pace)
{
	int ret;

	l->began_ns = hf_mono_ns();
	hf_tool_ready("");
	ret = hf_pace_run(pace, l, detach, interval);
	return ret ?: hf_losses_say(l->lost);
}

static int start(struct lat *l)
{
	struct hf_point points[] = { HF_POINT_FRAME, HF_POINT_OUTPUT, HF_POINT_TRIP };
	int ret = hf_need(points, 3, false);

	if (ret)
		return ret;
	l->bpf = hf_lat__open();
	if (!l->bpf) {
		warn("BPF programs");
		return HF_EXIT_ERROR;
	}
	l->bpf->rodata->only_index = l->o.index;
	l->bpf->rodata->only_pid = l->o.pid;
	ret = hf_lat__load(l->bpf);
	if (!ret)
		ret = hf_lat__attach(l->bpf);
	return ret ? hf_not_taken(ret) : HF_EXIT_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { HF_LONG_OPTIONS, { 0 } };
	static struct lat l = { .o = { .usage = usage_text, .index = HF_ALL_ARRAYS } };
	struct hf_pace pace = { 0 };
	int c, ret;

	while ((c = getopt_long(argc, argv, HF_SHORT_OPTIONS, options, NULL)) != -1)
		hf_option(&l.o, c);
	hf_pace_read(&pace, argc, argv);

	hf_tool_begin(l.o.verbose);
	l.lost = hf_losses_new();
	if (l.lost)
		l.cpu = calloc(l.lost->cpus, sizeof(l.cpu[0]));
	if (!l.cpu)
		errx(HF_EXIT_ERROR, "no memory");
	ret = start(&l);
	if (!ret)
		ret = run(&l, &pace);
	hf_lat__destroy(l.bpf);
	free(l.cpu);
	free(l.lost);
	return hf_tool_end(ret);
}
