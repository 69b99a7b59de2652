/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inner loops of an admission, in as many ways as the processor has: from what is
 * asked for to wire steps, and integer dot products of a frame with the gains of many
 * points. All ways give the same bits (tests/unit/test_dot.c). Loops only: what
 * they mean is for admit.c and field.c to know.
 */
#ifndef HF_DOT_H
#define HF_DOT_H

#include "nameplate.h"

#define HF_LANES	16	/* rows are padded with zeros to a multiple of this */

struct hf_cs16 { s16 re, im; };

static inline u32 hf_lanes(u32 channels)
{
	return (channels + HF_LANES - 1) / HF_LANES * HF_LANES;
}

/*
 * Bytes of one row: hf_lanes() gains of 8 bytes, then as many quick gains of up to 4. Wide:
 * two to a word of 64 bits, the even one high, so that a product with two quick
 * amplitudes, the even one low, has the sum of both products in its upper half.
 */
#define HF_ROW_MAX	(HF_MAX_CHANNELS * 12)
static inline size_t hf_row_size(u32 channels)
{
	return hf_lanes(channels) * (size_t)12;
}

/* Rows of @count points, one after the other. */
struct hf_rows {
	const u8 *row;		/* aligned to 8 */
	u32 channels;
	u32 count;
};

/*
 * A value as the dot products want it. Plain: (re, -im) and (im, re), so that one
 * multiply-and-add of pairs is the real part and one the imaginary. Wide: re +
 * 2^44 im, so that one 128-bit product is re re', the imaginary part and im im'.
 */
union hf_phasor_room {
	s64 wide[HF_MAX_CHANNELS] __attribute__((aligned(32)));
	struct {
		struct hf_cs16 conj[HF_MAX_CHANNELS];
		struct hf_cs16 swap[HF_MAX_CHANNELS];
	} plain;
};

/* What of a frame's amplitudes is needed before any phase is looked at. */
struct hf_drive {
	u32 shift;		/* amplitudes are scaled by 2^shift, to keep small ones precise */
	u32 amp_sum;		/* of all amplitudes, unscaled */
	u32 amp_min;		/* smallest that is not 0; 65535 if none is */
	/* scaled amplitude / 16, rounded up and above: 0..4096; wide: even + odd 2^32 */
	union {
		u16 plain[HF_MAX_CHANNELS] __attribute__((aligned(32)));
		u64 wide[HF_MAX_CHANNELS / 2];
	} quick;
};

/* v / 65535, rounded down, for v <= 65535^2 (tests/unit/test_dot.c) */
static inline u32 hf_by_full(u32 v)
{
	return (v + (v >> 16) + 1) >> 16;
}

/* What turns a request into wire steps; everything of one array and envelope */
struct hf_grid {
	const struct hf_channel_cal *cal;
	const u64 *mask;	/* bit per channel that may be driven */
	u32 phase_levels;
	u32 amp_levels;
	u32 channels;
	bool flat;		/* no calibration changes anything, and nothing is masked */
};

/* Step of an amplitude below 65536, rounded down. */
static inline u32 hf_level_of(u32 amp, u32 scale_q16, u32 levels)
{
	return hf_by_full((amp * scale_q16 >> 16) * levels);
}

/* One channel that changed: what its phasor was and is */
struct hf_move {
	u32 channel;
	struct hf_cs16 was;
	struct hf_cs16 is;
};

#define HF_MOVES_MAX	128	/* more are no cheaper than all products anew */

/*
 * One way to do it. @rows->channels is that of the frame; all of them may be
 * called in any context in which the way may be used at all.
 */
struct hf_dot_way {
	const char *name;
	bool wide;		/* layout of gains, phasors and quick amplitudes */
	/*
	 * Calibrates, scales by @scale_q16 / 65536 and quantises: amplitudes down,
	 * phases to nearest (the last half step of the turn is phase 0), 0 where masked.
	 * Returns the loudest amplitude before scaling.
	 */
	u32 (*quantise)(const struct hf_grid *g, const u16 *phase, const u16 *amp, u32 scale_q16,
			u16 *step, u16 *level);
	/* Fills @d of @amp[channels]; entries up to hf_lanes() are 0. */
	void (*drive)(struct hf_drive *d, const u16 *amp, u32 channels);
	/* sum[j] = sum of d->quick * quick gain, exact, at most 2^34. */
	void (*quick)(const struct hf_drive *d, const struct hf_rows *rows, u64 *sum);
	/* x = table[phase] * amp 2^shift / 65536, to nearest, up to hf_lanes(). */
	void (*phasors)(union hf_phasor_room *x, const struct hf_cs16 *table, const u16 *phase,
			const u16 *amp, u32 shift, u32 channels);
	/* re[j] + i im[j] = sum of x * gain, exact, below 2^41. */
	void (*dots)(const union hf_phasor_room *x, const struct hf_rows *rows, s64 *re, s64 *im);
};

extern const struct hf_dot_way hf_dot_scalar;
/*
 * Built for x86-64 processors only; to be used only where the processor has AVX2, and in
 * the kernel only between kernel_fpu_begin() and kernel_fpu_end().
 */
extern const struct hf_dot_way hf_dot_avx2;

/* Puts the gain of channel @i into its row, in the layout of @way; @quick: 0..4096. */
void hf_row_put(const struct hf_dot_way *way, u8 *row, u32 channels, u32 i, struct hf_cs16 g,
		u16 quick);

/* The phasor of one channel, by the formula of hf_dot_way.phasors. */
struct hf_cs16 hf_phasor(struct hf_cs16 unit, u32 amp_scaled);

/* Phasor @i of @x; and the same set. */
struct hf_cs16 hf_phasor_get(const struct hf_dot_way *way, const union hf_phasor_room *x, u32 i);
void hf_phasor_put(const struct hf_dot_way *way, union hf_phasor_room *x, u32 i, struct hf_cs16 v);

/*
 * What @n <= HF_MOVES_MAX moves change: re[j], im[j] get the sum of (is - was) * gain
 * added. Exact, so that it may be done for ever without drift.
 */
void hf_dot_moves(const struct hf_dot_way *way, const struct hf_move *move, u32 n,
		  const struct hf_rows *rows, s64 *re, s64 *im);

#endif /* HF_DOT_H */
