/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An error in words beside its -errno: what, where, the value, the limit.
 */
#ifndef HF_ERR_H
#define HF_ERR_H

#define HF_ERR_LEN	256

struct hf_err {
	char text[HF_ERR_LEN];
};

/* Writes the text (@e may be NULL, cut if too long). Return: @ret, so that one can return it. */
int hf_fail(struct hf_err *e, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* HF_ERR_H */
