/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this process uses of the machine, as the kernel says.
 */
#ifndef HF_USAGE_H
#define HF_USAGE_H

#include <jansson.h>

/* To be called before the sandbox. Return: a file for hf_usage_json(), -1: no /proc here. */
int hf_usage_open(void);
/*
 * { cpu_us, read_bytes, written_bytes, page_faults, rss_bytes }, of disks, and of faults that had to read
 * one; @fd -1: without rss_bytes. New reference.
 */
json_t *hf_usage_json(int fd);

#endif /* HF_USAGE_H */
