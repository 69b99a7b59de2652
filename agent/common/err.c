// SPDX-License-Identifier: GPL-2.0
/*
 * Errors in words. Nothing secret may be put into one: they reach logs and clients.
 */
#include <stdarg.h>
#include <stdio.h>

#include "err.h"

int hf_fail(struct hf_err *e, int ret, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return ret;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return ret;
}
