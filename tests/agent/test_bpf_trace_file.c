// SPDX-License-Identifier: GPL-2.0
/*
 * The file of holdfast-trace: records in any order in, entries in order out, in
 * memory of a fixed size; what cannot be told is counted.
 */
#include <jansson.h>

#include "check.h"
#include "holdfast.h"
#include "trace_file.h"

static int proc_read(uint32_t pid, char name[HF_COMM_LEN])
{
	if (pid != 42)
		return -ENOENT;
	strcpy(name, "a\"b\\c");
	return 0;
}

static struct hf_comms *comms;
static struct hf_trace *t;
static FILE *f;
static char *text;
static size_t len;

static void setup(void)
{
	comms = calloc(1, sizeof(*comms));
	comms->read = proc_read;
	f = open_memstream(&text, &len);
	t = hf_trace_new(f, 3, comms, 1000);
}

static void teardown(void)
{
	hf_trace_free(t);
	free(text);
	free(comms);
}

TestSuite(bpf_trace, .init = setup, .fini = teardown);

/* Ends the file and reads it. */
static json_t *ended(const char *state)
{
	json_error_t why;
	json_t *j;

	hf_trace_end(t, state, "signal", json_pack("{s:i}", "no_room", 5), 9000000000ULL);
	fclose(f);
	j = json_loads(text, 0, &why);
	cr_assert_not_null(j, "%s, line %d", why.text, why.line);
	return j;
}

static json_t *other(json_t *j, const char *key)
{
	return json_object_get(json_object_get(j, "otherData"), key);
}

/* Entry @n of a category. */
static json_t *entry(json_t *j, const char *cat, size_t n)
{
	json_t *e, *c;
	size_t i;

	json_array_foreach(json_object_get(j, "traceEvents"), i, e) {
		c = json_object_get(e, "cat");
		if (c && !strcmp(json_string_value(c), cat) && !n--)
			return e;
	}
	return NULL;
}

static double number(json_t *e, const char *key)
{
	return json_number_value(json_object_get(e, key));
}

static void tick(uint64_t time_ns, uint64_t late_ns)
{
	struct hf_bpf_tick e = { { time_ns, HF_BPF_TICK, 3 }, late_ns, 100 };

	hf_trace_add(t, &e, sizeof(e));
}

static void frame(uint64_t time_ns, uint32_t pid, uint64_t lease, uint64_t cookie)
{
	struct hf_bpf_frame e = {
		.head = { time_ns, HF_BPF_FRAME, 3 }, .lease = lease, .cookie = cookie, .pid = pid,
		.verdict = HOLDFAST_VERDICT_REJECT, .limit = HOLDFAST_LIM_AMP_CAP, .where = 2,
		.measured = 60000, .bound = 40000, .cost_ns = 1500, .comm = "gone",
	};

	hf_trace_add(t, &e, sizeof(e));
}

Test(bpf_trace, an_empty_one)
{
	json_t *j = ended("silent");

	cr_assert_eq(json_integer_value(json_object_get(other(j, "events"), "frame")), 0);
	cr_assert_eq(json_integer_value(json_object_get(other(j, "lost"), "no_room")), 5);
	cr_assert_str_eq(json_string_value(other(j, "ended_by")), "signal");
	cr_assert_str_eq(json_string_value(json_object_get(entry(j, "state", 0), "name")), "silent");
	cr_assert_float_eq(number(entry(j, "state", 0), "dur"), 8999999.0, 1e-3);
	json_decref(j);
}

Test(bpf_trace, a_frame)
{
	json_t *j, *e, *args;

	frame(5000000123, 42, 7, UINT64_MAX);
	frame(5000000200, 43, 8, 1);
	j = ended(NULL);
	e = entry(j, "frame", 0);
	args = json_object_get(e, "args");
	cr_assert_str_eq(json_string_value(json_object_get(e, "name")), "reject");
	cr_assert_str_eq(json_string_value(json_object_get(e, "ph")), "X");
	cr_assert_float_eq(number(e, "ts"), 4999998.623, 1e-6);
	cr_assert_float_eq(number(e, "dur"), 1.5, 1e-9);
	cr_assert_eq(number(e, "pid"), 42);
	cr_assert_str_eq(json_string_value(json_object_get(args, "cookie")), "18446744073709551615");
	cr_assert_str_eq(json_string_value(json_object_get(args, "limit")), "amp_cap");
	cr_assert_str_eq(json_string_value(json_object_get(args, "unit")), "q16");
	cr_assert_eq(number(args, "where"), 2);
	cr_assert_eq(number(args, "measured"), 60000);
	/* A name that JSON has to quote, and that of one that is gone. */
	cr_assert_not_null(strstr(text, "\"a\\\"b\\\\c 42\""));
	cr_assert_not_null(strstr(text, "\"gone 43\""));
	cr_assert_null(entry(j, "state", 0));
	json_decref(j);
}

Test(bpf_trace, in_order_whatever_the_order)
{
	const uint64_t n = 3 * HF_TRACE_HELD;
	uint64_t s = check_seed();
	size_t i, ticks = 0;
	double last = 0;
	json_t *j, *e;

	/* Two CPUs tell of the same time, one of them a little late. */
	for (i = 0; i < n; i++)
		tick(10000 + i * 1000000 - (check_random(&s) % 2500) * 1000 * (i > 3), i);
	j = ended("armed");
	json_array_foreach(json_object_get(j, "traceEvents"), i, e) {
		json_t *cat = json_object_get(e, "cat");

		if (!cat || strcmp(json_string_value(cat), "tick"))
			continue;
		cr_assert(number(e, "ts") >= last);
		last = number(e, "ts");
		ticks++;
	}
	cr_assert_eq(ticks, n);
	cr_assert_eq(json_integer_value(other(j, "out_of_order")), 0);
	cr_assert_eq(json_integer_value(json_object_get(other(j, "events"), "tick")), n);
	json_decref(j);
}

Test(bpf_trace, what_comes_too_late_is_written_and_counted)
{
	json_t *j;

	tick(1000000000, 1);
	tick(5000000000, 2);
	tick(5000000001, 3);
	tick(2000, 4);
	j = ended(NULL);
	cr_assert_eq(json_integer_value(json_object_get(other(j, "events"), "tick")), 4);
	cr_assert_eq(json_integer_value(other(j, "out_of_order")), 1);
	json_decref(j);
}

Test(bpf_trace, what_is_no_record)
{
	struct hf_bpf_tick e = { { 5, 99, 3 }, 0, 0 };
	json_t *j;

	hf_trace_add(t, &e, sizeof(e));
	e.head.type = 0;
	hf_trace_add(t, &e, sizeof(e));
	e.head.type = HF_BPF_TICK;
	hf_trace_add(t, &e, sizeof(e) - 1);
	hf_trace_add(t, &e, 3);
	e.head.type = HF_BPF_FRAME;
	hf_trace_add(t, &e, sizeof(e));
	j = ended(NULL);
	cr_assert_eq(json_integer_value(other(j, "not_understood")), 5);
	cr_assert_eq(hf_trace_written(t), 0);
	json_decref(j);
}

Test(bpf_trace, more_leases_than_tracks)
{
	json_t *j;

	for (uint64_t i = 0; i < HF_TRACE_TRACKS + 100; i++)
		frame(1000 + i, 42, i + 1, i);
	j = ended(NULL);
	cr_assert_eq(json_integer_value(json_object_get(other(j, "events"), "frame")),
		     HF_TRACE_TRACKS + 100);
	cr_assert_eq(number(entry(j, "frame", HF_TRACE_TRACKS), "tid"),
		     number(entry(j, "frame", HF_TRACE_TRACKS + 99), "tid"));
	cr_assert_not_null(strstr(text, "\"more leases\""));
	json_decref(j);
}

Test(bpf_trace, losses_stand_where_they_were_seen)
{
	json_t *j;

	hf_trace_lost(t, 12, 7000);
	j = ended(NULL);
	cr_assert_eq(number(json_object_get(entry(j, "lost", 0), "args"), "events"), 12);
	cr_assert_float_eq(number(entry(j, "lost", 0), "ts"), 7.0, 1e-9);
	json_decref(j);
}

/* Numbers of which none is right: text that can be read all the same. */
Test(bpf_trace, whatever_the_numbers)
{
	static const struct { uint32_t type; size_t size; } types[] = {
		{ HF_BPF_FRAME, sizeof(struct hf_bpf_frame) },
		{ HF_BPF_OUTPUT, sizeof(struct hf_bpf_output) },
		{ HF_BPF_STATE, sizeof(struct hf_bpf_state) },
		{ HF_BPF_TRIP, sizeof(struct hf_bpf_trip) },
		{ HF_BPF_SENSOR, sizeof(struct hf_bpf_sensor) },
		{ HF_BPF_TICK, sizeof(struct hf_bpf_tick) },
		{ HF_BPF_QUEUE, sizeof(struct hf_bpf_queue) },
	};
	_Alignas(8) unsigned char raw[HF_TRACE_RECORD];
	struct hf_bpf_head *head = (void *)raw;
	uint64_t s = check_seed();

	for (int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof(raw); k++)
			raw[k] = (unsigned char)(check_random(&s) >> 32);
		head->type = types[i % 7].type;
		hf_trace_add(t, raw, types[i % 7].size);
	}
	json_decref(ended("tripped"));
	cr_assert_eq(hf_trace_written(t), 20000);
}
