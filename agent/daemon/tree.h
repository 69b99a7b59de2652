/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The processes of a parent that may have ended: who has taken the lock, by the
 * kernel's word, and who belongs to him. All of them are in his process group, which
 * none can leave; its number is not given to anybody else while one of them lives.
 */
#ifndef HF_TREE_H
#define HF_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hf_proc_stat {
	char state;		/* 'Z', 'X': ended */
	pid_t group;
	uint64_t start;		/* ticks of CLOCK_BOOTTIME */
};

/*
 * @line: of /proc/locks. Return: who took an exclusive flock(2) on this file, 0: the line is
 * of something else.
 */
pid_t hf_locks_line(const char *line, dev_t dev, ino_t ino);
/* @text: of /proc/PID/stat; a program's name may have anything in it. */
bool hf_stat_parse(const char *text, struct hf_proc_stat *st);

/* Who took the lock of run folder @run; 0: nobody, or nobody that can be seen from here. */
pid_t hf_lock_taker(const char *run);
/* Not ended; one that waits to be reaped has. */
bool hf_process_lives(pid_t pid);
/*
 * hf_tree_kill() - SIGKILL for all of a process group
 * @before_ns:	CLOCK_BOOTTIME when the lock was still seen held. Who is younger than that is
 *		left for the next time: so nobody is hit who has a number for the second time
 *
 * Each is held by a pidfd while it is looked at. Return: how many.
 */
unsigned int hf_tree_kill(pid_t group, uint64_t before_ns);

#endif /* HF_TREE_H */
