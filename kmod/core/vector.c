// SPDX-License-Identifier: GPL-2.0
/*
 * Which way of summing products this kernel and processor have: the same answer for as
 * long as the module is loaded. The ways themselves are in rules/; here is only what the
 * kernel demands around vector registers.
 */
#include <linux/kernel.h>
#include <linux/module.h>

#include "core.h"

#ifdef HF_HAVE_AVX2

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>

/*
 * Admissions run in process context, where vector registers may be had. Preemption is off
 * between begin and end: for one frame of 1024 channels and 64 points some 10 us.
 */
static u32 hf_vector_quantise(const struct hf_grid *g, const u16 *phase, const u16 *amp,
			      u32 scale_q16, u16 *step, u16 *level)
{
	u32 loudest;

	kernel_fpu_begin();
	loudest = hf_dot_avx2.quantise(g, phase, amp, scale_q16, step, level);
	kernel_fpu_end();
	return loudest;
}

static void hf_vector_drive(struct hf_drive *d, const u16 *amp, u32 channels)
{
	kernel_fpu_begin();
	hf_dot_avx2.drive(d, amp, channels);
	kernel_fpu_end();
}

static void hf_vector_quick(const struct hf_drive *d, const struct hf_rows *rows, u64 *sum)
{
	kernel_fpu_begin();
	hf_dot_avx2.quick(d, rows, sum);
	kernel_fpu_end();
}

static void hf_vector_phasors(union hf_phasor_room *x, const struct hf_cs16 *table,
			      const u16 *phase, const u16 *amp, u32 shift, u32 channels)
{
	kernel_fpu_begin();
	hf_dot_avx2.phasors(x, table, phase, amp, shift, channels);
	kernel_fpu_end();
}

static void hf_vector_dots(const union hf_phasor_room *x, const struct hf_rows *rows, s64 *re,
			   s64 *im)
{
	kernel_fpu_begin();
	hf_dot_avx2.dots(x, rows, re, im);
	kernel_fpu_end();
}

static const struct hf_dot_way hf_dot_vector = {
	.name = "avx2",
	.wide = false,
	.quantise = hf_vector_quantise,
	.drive = hf_vector_drive,
	.quick = hf_vector_quick,
	.phasors = hf_vector_phasors,
	.dots = hf_vector_dots,
};

const struct hf_dot_way *hf_dot_best(void)
{
	if (boot_cpu_has(X86_FEATURE_AVX2) &&
	    cpu_has_xfeatures(XFEATURE_MASK_SSE | XFEATURE_MASK_YMM, NULL))
		return &hf_dot_vector;
	return &hf_dot_scalar;
}

#else

const struct hf_dot_way *hf_dot_best(void)
{
	return &hf_dot_scalar;
}

#endif
