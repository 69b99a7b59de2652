// SPDX-License-Identifier: GPL-2.0
/*
 * What of the eBPF tools needs no kernel: buckets, names of processes, and the
 * comparison of a driver's tracepoints with what the tools read.
 */
#include <unistd.h>

#include <bpf/btf.h>

#include "check.h"
#include "comm.h"
#include "hist.h"
#include "need.h"

/* --------------------------------------------------------------------- buckets */

Test(bpf_log2, edges_of_every_bucket)
{
	cr_assert_eq(hf_log2_slot(0), 0);
	for (__u32 k = 1; k < HF_LOG2_SLOTS; k++) {
		cr_assert_eq(hf_log2_slot(hf_log2_from(k)), k);
		cr_assert_eq(hf_log2_slot(hf_log2_to(k)), k);
		cr_assert_eq(hf_log2_slot(hf_log2_from(k) - 1), k - 1);
	}
	cr_assert_eq(hf_log2_slot(UINT64_MAX), HF_LOG2_SLOTS - 1);
	cr_assert_eq(hf_log2_to(HF_LOG2_SLOTS - 1), UINT64_MAX);
}

static void add(struct hf_log2 *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	h->max = h->max < v ? v : h->max;
	h->slot[hf_log2_slot(v)]++;
}

Test(bpf_log2, parts_add_up)
{
	struct hf_log2 a = {}, b = {}, sum = {}, part;
	uint64_t s = check_seed();

	for (int i = 0; i < 1000; i++)
		add(i % 3 ? &a : &b, check_random(&s) >> (check_random(&s) % 64));
	hf_log2_add(&sum, &a);
	hf_log2_add(&sum, &b);
	cr_assert_eq(sum.count, 1000);
	cr_assert_eq(sum.max, a.max > b.max ? a.max : b.max);
	part = hf_log2_since(&sum, &a);
	cr_assert_eq(part.count, b.count);
	cr_assert_eq(part.sum, b.sum);
	cr_assert_arr_eq(part.slot, b.slot, sizeof(b.slot));
}

Test(bpf_log2, json_has_what_is_there)
{
	struct hf_log2 h = {};
	json_t *j, *slots;

	add(&h, 0);
	add(&h, 1000);
	add(&h, 1023);
	add(&h, UINT64_MAX);
	j = hf_log2_json(&h);
	slots = json_object_get(j, "slots");
	cr_assert_eq(json_integer_value(json_object_get(j, "count")), 4);
	cr_assert_eq(json_array_size(slots), 3);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(slots, 1), "from_ns")), 512);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(slots, 1), "to_ns")), 1023);
	cr_assert_eq(json_integer_value(json_object_get(json_array_get(slots, 1), "count")), 2);
	/* JSON's numbers end there. */
	cr_assert_eq(json_integer_value(json_object_get(j, "max_ns")), INT64_MAX);
	json_decref(j);
}

Test(bpf_log2, text_has_a_row_for_each_bucket_between)
{
	struct hf_log2 h = {};
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	hf_log2_print(f, "nothing", &h);
	add(&h, 5);
	add(&h, 40);
	hf_log2_print(f, "something", &h);
	fclose(f);
	cr_assert_not_null(strstr(text, "\nnothing: 0\n"));
	cr_assert_not_null(strstr(text, "\nsomething: 2, mean"));
	cr_assert_not_null(strstr(text, "                   4 -> 7                    : 1        |****"));
	cr_assert_not_null(strstr(text, "                  16 -> 31                   : 0        |    "));
	cr_assert_not_null(strstr(text, "                  32 -> 63                   : 1        |****"));
	cr_assert_null(strstr(text, "64 -> 127"));
	free(text);
}

/* ----------------------------------------------------------- names of processes */

static const char *proc_name;	/* what /proc says; NULL: gone */
static int proc_reads;

static int proc_read(uint32_t pid, char name[HF_COMM_LEN])
{
	proc_reads++;
	if (!proc_name)
		return -ENOENT;
	snprintf(name, HF_COMM_LEN, "%s%u", proc_name, pid);
	return 0;
}

static struct hf_comms *comms;

static void setup(void)
{
	comms = calloc(1, sizeof(*comms));
	comms->read = proc_read;
	proc_name = "p";
	proc_reads = 0;
}

static void teardown(void)
{
	free(comms);
}

TestSuite(bpf_comm, .init = setup, .fini = teardown);

#define S	1000000000ULL

Test(bpf_comm, asked_once_a_second)
{
	cr_assert_str_eq(hf_comm_name(comms, 7, "", 10 * S), "p7");
	cr_assert_str_eq(hf_comm_name(comms, 7, "", 10 * S + 1), "p7");
	cr_assert_eq(proc_reads, 1);
	/* The number is used again. */
	proc_name = "q";
	cr_assert_str_eq(hf_comm_name(comms, 7, "", 11 * S), "q7");
	cr_assert_eq(proc_reads, 2);
}

Test(bpf_comm, of_one_that_is_gone)
{
	proc_name = NULL;
	cr_assert_str_eq(hf_comm_name(comms, 8, "", S), "?");
	cr_assert_str_eq(hf_comm_name(comms, 8, "seen", 3 * S), "seen");
	cr_assert_str_eq(hf_comm_name(comms, 9, "seen", S), "seen");
	cr_assert_str_eq(hf_comm_name(comms, 0, "seen", S), "?");
	proc_name = "p";
	cr_assert_str_eq(hf_comm_name(comms, 10, "seen", S), "p10");
	proc_name = NULL;
	cr_assert_str_eq(hf_comm_name(comms, 10, "other", 5 * S), "p10", "what was known stays");
}

Test(bpf_comm, no_more_memory_than_there_is)
{
	/* Every process there can be, and the newest are still known. */
	for (uint32_t pid = 1; pid < 100000; pid++)
		hf_comm_name(comms, pid, "", pid);
	proc_reads = 0;
	for (uint32_t pid = 100000 - HF_COMM_SETS * HF_COMM_WAYS; pid < 100000; pid++)
		hf_comm_name(comms, pid, "", 100000);
	cr_assert_eq(proc_reads, 0);
}

static const char *clean(const char *from)
{
	static char to[HF_COMM_LEN];

	hf_comm_clean(to, from, strlen(from));
	return to;
}

Test(bpf_comm, only_text)
{
	cr_assert_str_eq(clean("play"), "play");
	cr_assert_str_eq(clean("a\nb\x1b[2J"), "a?b?[2J");
	cr_assert_str_eq(clean("\xff\xc3\xa4"), "?\xc3\xa4");
	cr_assert_str_eq(clean("x\xe2\x80\xae" "y"), "x???y", "nothing that turns the order of text");
	cr_assert_str_eq(clean("0123456789abcdefgh"), "0123456789abcde");
	/* Cut in the middle of a character. */
	cr_assert_str_eq(clean("0123456789abcd\xc3\xa4"), "0123456789abcd?");
}

Test(bpf_comm, reads_proc)
{
	char name[HF_COMM_LEN], want[HF_COMM_LEN];
	FILE *f = fopen("/proc/self/comm", "r");

	cr_assert_not_null(fgets(want, sizeof(want), f));
	fclose(f);
	want[strcspn(want, "\n")] = '\0';
	cr_assert_eq(hf_comm_read((uint32_t)getpid(), name), 0);
	cr_assert_str_eq(name, want);
	cr_assert_eq(hf_comm_read(0x7ffffffe, name), -ENOENT);
}

/* --------------------------------------------------------------- tracepoints */

/* A driver whose tracepoint @point has arguments of these letters; 'p' is a pointer. */
static struct btf *driver(const char *point, const char *args)
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int u64 = btf__add_int(btf, "unsigned long long", 8, 0);
	int s64 = btf__add_int(btf, "long long", 8, BTF_INT_SIGNED);
	int ptr = btf__add_ptr(btf, 0);
	int alias = btf__add_typedef(btf, "u32", btf__add_const(btf, u32));
	char name[64];
	int proto;

	proto = btf__add_func_proto(btf, 0);
	btf__add_func_param(btf, "__data", ptr);
	for (; *args; args++)
		btf__add_func_param(btf, "", *args == 'u' ? alias : *args == 'U' ? u64 :
				    *args == 'S' ? s64 : ptr);
	snprintf(name, sizeof(name), "btf_trace_%s", point);
	btf__add_typedef(btf, name, btf__add_ptr(btf, proto));
	return btf;
}

static int need(const char *args, struct hf_point *point)
{
	struct btf *btf = driver("holdfast_tick", args);
	int ret = hf_need_point(btf, 1, point);

	btf__free(btf);
	return ret;
}

Test(bpf_need, arguments)
{
	struct hf_point tick = HF_POINT_TICK;

	cr_assert_eq(need("uUU", &tick), HF_EXIT_OK);
	cr_assert(tick.there);
	cr_assert_eq(need("uUUu", &tick), HF_EXIT_OK, "newer drivers have more");
	cr_assert_eq(need("uU", &tick), HF_EXIT_DRIVER, "older ones fewer");
	cr_assert_not(tick.there);
	cr_assert_eq(need("UUU", &tick), HF_EXIT_DRIVER);
	cr_assert_eq(need("uUS", &tick), HF_EXIT_DRIVER);
	cr_assert_eq(need("uUp", &tick), HF_EXIT_DRIVER);
}

/* A kernel whose ring buffer has a lock of this type. */
static bool sleeps(const char *ring, const char *lock)
{
	struct btf *btf = btf__new_empty();
	int u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int type = btf__add_typedef(btf, lock, u32);
	bool ret;

	btf__add_struct(btf, ring, 8);
	btf__add_field(btf, "mask", u32, 0, 0);
	btf__add_field(btf, "spinlock", type, 32, 0);
	ret = hf_need_ring_sleeps(btf);
	btf__free(btf);
	return ret;
}

Test(bpf_need, rings_of_real_time_kernels)
{
	cr_assert(sleeps("bpf_ringbuf", "spinlock_t"));
	cr_assert_not(sleeps("bpf_ringbuf", "raw_spinlock_t"));
	cr_assert_not(sleeps("bpf_ringbuf", "rqspinlock_t"));
	cr_assert(sleeps("another", "raw_spinlock_t"), "who cannot tell keeps out");
}

/* Of the kernel this runs on, if it has BTF: there is such a lock at all. */
Test(bpf_need, ring_of_this_kernel)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);

	if (!btf)
		return;
	cr_log_info("sleeps on a real-time kernel: %d", hf_need_ring_sleeps(btf));
	cr_assert_gt(btf__find_by_name_kind(btf, "bpf_ringbuf", BTF_KIND_STRUCT), 0);
	btf__free(btf);
}

Test(bpf_need, optional)
{
	struct hf_point queue = HF_POINT_QUEUE, frame = HF_POINT_FRAME;
	struct btf *btf = driver("holdfast_tick", "uUU");

	cr_assert_eq(hf_need_point(btf, 1, &queue), HF_EXIT_OK);
	cr_assert_not(queue.there);
	cr_assert_eq(hf_need_point(btf, 1, &frame), HF_EXIT_DRIVER);
	btf__free(btf);
	/* One that is there but different is no better for being optional. */
	btf = driver("holdfast_queue", "uUuuU");
	cr_assert_eq(hf_need_point(btf, 1, &queue), HF_EXIT_DRIVER);
	btf__free(btf);
	btf = driver("holdfast_queue", "uUuuu");
	cr_assert_eq(hf_need_point(btf, 1, &queue), HF_EXIT_OK);
	cr_assert(queue.there);
	btf__free(btf);
}
