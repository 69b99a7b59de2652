// SPDX-License-Identifier: GPL-2.0
/*
 * What each program of the eBPF tools costs on this kernel: run as often as
 * said with made-up arguments, timed by the kernel's own statistics. Needs
 * neither driver nor array, and judges nothing.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lat.skel.h"
#include "snoop.skel.h"
#include "top.skel.h"
#include "trace.skel.h"

#define DRAIN	50	/* runs between two drains of the ring */

static int runs = 200000;

static int drop(void *arg, void *data, size_t size)
{
	(void)arg;
	(void)data;
	(void)size;
	return 0;
}

static void cost(const char *name, const struct bpf_program *prog, const uint64_t *args, size_t n,
		 struct ring_buffer *ring)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = (__u32)(n * 8));
	struct bpf_prog_info before = {}, info = {};
	uint32_t len = sizeof(info);
	int fd = bpf_program__fd(prog);

	bpf_obj_get_info_by_fd(fd, &before, &len);
	for (int i = 0; i < runs; i++) {
		if (bpf_prog_test_run_opts(fd, &opts))
			err(1, "%s", name);
		if (ring && i % DRAIN == 0)
			ring_buffer__consume(ring);
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err(1, "%s", name);
	printf("%-22s %6.0f ns\n", name, (double)(info.run_time_ns - before.run_time_ns) /
	       (double)(info.run_cnt - before.run_cnt));
}

static struct ring_buffer *ring_of(const struct bpf_map *map)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), drop, NULL, NULL);

	if (!ring)
		err(1, "ring buffer");
	return ring;
}

int main(int argc, char **argv)
{
	/* as docs/ABI/dev-holdfast-tracepoints.md has them */
	const uint64_t admitted[] = { 0, 1, 5, 0, 256, 0, 0, 0, 65536, 12345, 77 };
	const uint64_t refused[] = { 0, 1, 5, 2, 0, 0, 60000, 40000, 0, 12345, 77 };
	const uint64_t output[] = { 0, 1, 5, 77, 100, 90000 };
	const uint64_t sensor[] = { 0, 1, 0, 0, 25000 };
	const uint64_t tick[] = { 0, 100, 5000 };
	struct hf_top *top = hf_top__open();
	struct hf_lat *lat = hf_lat__open();
	struct hf_snoop *snoop = hf_snoop__open();
	struct hf_trace_bpf *trace = hf_trace_bpf__open();
	struct ring_buffer *snoops, *traces;

	if (argc > 1)
		runs = atoi(argv[1]);
	if (runs <= 0)
		errx(2, "usage: bpf_cost [RUNS]");
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "statistics");
	if (!top || hf_top__load(top) || !lat || hf_lat__load(lat) || !snoop ||
	    hf_snoop__load(snoop) || !trace || hf_trace_bpf__load(trace))
		err(1, "load");
	snoops = ring_of(snoop->maps.ring);
	traces = ring_of(trace->maps.ring);
	cost("top: frame", top->progs.frame, admitted, 11, NULL);
	cost("top: output", top->progs.output, output, 6, NULL);
	cost("lat: frame", lat->progs.frame, admitted, 11, NULL);
	cost("lat: output", lat->progs.output, output, 6, NULL);
	cost("snoop: admitted frame", snoop->progs.frame, admitted, 11, snoops);
	cost("snoop: refused frame", snoop->progs.frame, refused, 11, snoops);
	cost("trace: frame", trace->progs.frame, admitted, 11, traces);
	cost("trace: output", trace->progs.output, output, 6, traces);
	cost("trace: tick", trace->progs.tick, tick, 3, traces);
	cost("trace: sensor", trace->progs.sensor, sensor, 5, traces);
	ring_buffer__free(snoops);
	ring_buffer__free(traces);
	hf_top__destroy(top);
	hf_lat__destroy(lat);
	hf_snoop__destroy(snoop);
	hf_trace_bpf__destroy(trace);
	return 0;
}
