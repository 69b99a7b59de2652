/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What io_uring.c takes over from io_portable.c: everything but commits. For
 * back ends only.
 */
#ifndef HF_AUDIT_IO_PORTABLE_H
#define HF_AUDIT_IO_PORTABLE_H

#include "io.h"

struct aud_portable {
	struct aud_io io;
	int dirfd;
};

extern const struct aud_io_ops aud_portable_ops;

#endif /* HF_AUDIT_IO_PORTABLE_H */
