/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What systemd is told (sd_notify(3)), without its library.
 */
#ifndef HF_NOTIFY_H
#define HF_NOTIFY_H

#include <stdint.h>

/* @fd: -1: nobody listens. @watchdog_ns: within which WATCHDOG=1 is due; 0: not wanted. */
struct hf_notify {
	int fd;
	uint64_t watchdog_ns;
};

/* From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID in @env ("NAME=value", ends with NULL). */
void hf_notify_open(struct hf_notify *n, char *const *env);
void hf_notify_close(struct hf_notify *n);
/* "READY=1", "STATUS=...": lines. Never waits; what systemd does not take is lost. */
void hf_notify(const struct hf_notify *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* RELOADING=1 with the time systemd wants beside it. */
void hf_notify_reloading(const struct hf_notify *n);

#endif /* HF_NOTIFY_H */
