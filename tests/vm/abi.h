/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the test of the ABI share: the array that the calls are made on,
 * and how an answer is compared with the one expected.
 */
#ifndef ABI_H
#define ABI_H

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/wait.h>

#include "bench.h"
#include "tap.h"

/*
 * The array that the calls are made on. Nobody need beat often: its deadline is
 * 10 s, but where a test is about that.
 */
struct world {
	struct bench b;
	int other;	/* writable, not the keeper */
	int ro;		/* read-only */
	__u64 epoch;
	struct holdfast_frame *frame;
	char *edge;	/* end of writable memory: nothing is mapped behind it */
	void *rom;	/* a page that cannot be written */
	void *hole;	/* an address where nothing is */
};

extern struct world w;

#define want(ret, err, ...)	want_errno(ret, err, __FILE__, __LINE__, __VA_ARGS__)

/* @ret: 0 or -errno, as scene_*() gives it; @err: the errno expected, or 0. */
__attribute__((format(printf, 5, 6)))
bool want_errno(int ret, int err, const char *file, int line, const char *fmt, ...);

#define check(ok, ...)	bench_check(&w.b, ok, __VA_ARGS__)

/* Says how what was wanted and checked since the last one went. */
void result(const char *name);

/* Runs @fn in a process without the capability @cap in effect; -1: without any. */
void without_cap(int cap, void (*fn)(void));
int claim(int fd);
__u32 live_leases(void);

/* abi_calls.c */
void test_calls(void);
void test_unknown(void);
void calls_gone(void);

/* abi_leases.c */
void test_keeper(void);
void test_lease_create(void);
void test_entries(void);
void test_quota(void);
void test_lease_ends(void);
void test_rights(void);

/* abi_limits.c */
void test_control(void);
void test_envelope(void);
void test_fence(void);
void test_seal(void);

/* abi_frames.c */
void test_frames(void);
void test_wait(void);
void test_submit(void);

/* abi_reads.c */
void test_info(void);
void test_status(void);
void test_blackbox(void);
void test_mmap(void);
void test_poll(void);
/* The scene ends there. */
void test_gone(void);

#endif /* ABI_H */
