/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of libholdfast share among themselves. Never installed; no
 * state of its own.
 */
#ifndef HF_LIB_INTERNAL_H
#define HF_LIB_INTERNAL_H

#include <string.h>

#include "libholdfast.h"

struct holdfast_array {
	int fd;
	const struct holdfast_status *page;	/* NULL: could not be mapped */
	size_t page_len;
};

struct holdfast_model {
	uint32_t channels;
	double wave_k;		/* 2 pi / wavelength, 1/m */
	double aperture_m;
	double p0_pam;
	struct hf_element {
		double x, y, z;		/* m */
		double nx, ny, nz;
	} e[];
};

/* ioctl(2) that gives 0 or -errno and starts again after a signal. */
int hf_ioctl(int fd, unsigned long cmd, void *arg);

/* A correlation id into a request; NULL: none. */
static inline void hf_corr_in(uint8_t *to, const uint8_t *corr)
{
	if (corr)
		memcpy(to, corr, HOLDFAST_CORR_LEN);
}

/* CLOCK_MONOTONIC in ns. */
uint64_t hf_now_ns(void);

/* Formats into a HOLDFAST_TEXT_LEN buffer; @text may be NULL. Return: @err. */
int hf_say(char *text, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Gain (Pa at full drive) and path phase (rad) from element @e to @at. */
void hf_gain(const struct holdfast_model *m, const struct hf_element *e,
	     const struct holdfast_point *at, double *gain, double *phase);
uint16_t hf_phase_of_rad(double rad);

#endif /* HF_LIB_INTERNAL_H */
