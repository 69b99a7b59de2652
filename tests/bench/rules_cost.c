// SPDX-License-Identifier: GPL-2.0
/*
 * What judging a frame costs: hf_admit, a straightforward double-precision check
 * of the same fence points, a copy of the frame, and the bare multiply-adds at the
 * processor's limit. The rules are compiled as the kernel compiles them: no
 * vector instructions but in files of their own (build.mk). No statistics here:
 * rules_bench.py asks, way by way, and compares.
 *
 * Usage: rules_cost FOLDER CHANNELSxPOINTS...
 *
 * Writes FOLDER/CHANNELSxPOINTS.bin for each size, says "ways A B C", then
 * answers "SIZE WAY SECONDS" on standard input with "NS RUNS" for one frame, and
 * "same SIZE FRAMES" with how many were judged alike by both ways of sums.
 */
#include <complex.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "admit.h"

#define FRAMES		32
#define CHANGES		3	/* how many channels may change from frame to frame: below */
#define CHUNK_NS	200000	/* of work between two looks at the clock */
#define CHUNKS		100000
#define PERIOD_NS	100000	/* 10 kHz */
#define AMP_LO		20000	/* of 65535 */
#define AMP_HI		30000
#define PHASE_LEVELS	256

static const double two_pi = 6.283185307179586476925286766559;

/* How many channels change in the frames that are like the one before. */
static const u32 changes[CHANGES] = { 1, 8, 32 };

struct frame {
	u16 phase[HF_MAX_CHANNELS];
	u16 amp[HF_MAX_CHANNELS];
};

/* A way of making sums, and what is laid out for it. */
struct engine {
	const struct hf_dot_way *way;
	struct hf_phase_lut lut;
	struct hf_scratch scratch;
};

static struct engine scalar, simd;

/* One size of array and fence, and everything that judges it. */
struct size {
	char name[24];
	u32 channels, points;
	struct hf_nameplate *np;
	/* By engine. Every point passes by the sum of amplitudes; each needs the field. */
	struct hf_rules *quick[2], *exact[2];
	struct hf_wire *wire[2];
	struct hf_model *model;
	struct hf_model *kept, *seen;	/* by books(), and what an admission would look at */
	double *gain, *theta;		/* [points][channels], Pa at full drive and rad */
	struct frame frame[FRAMES];
	struct frame alike[CHANGES][FRAMES];	/* used there and back */
	struct frame wired[FRAMES];	/* the frames in wire steps and re-expanded amplitudes */
	u32 power_uw[FRAMES][HF_MAX_CHANNELS];	/* of them, by channel */
	u32 turn;			/* frames judged so far */
};

static struct hf_field_work work;
static volatile double sink;

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ULL + (u64)t.tv_nsec;
}

static __attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("rules_cost: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

static void *room(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (!p)
		die("no memory");
	return memset(p, 0, bytes);
}

/* xorshift: the same frames and places on every machine */
static u32 random_u32(void)
{
	static u64 x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (u32)(x >> 32);
}

/* ---- ways ---- */

static void admit(struct size *s, struct engine *e, const struct hf_rules *r,
		  const struct frame *f)
{
	const struct hf_context ctx = {
		.now_ns = HF_NSEC_PER_SEC + PERIOD_NS,
		.last_commit_ns = HF_NSEC_PER_SEC,
		.last = s->wire[(s->turn + 1) % 2],
		.model = s->model,
		.derate_q16 = HF_Q16_ONE,
	};
	const struct hf_request req = {
		.phase = f->phase, .amp = f->amp, .channels = s->channels,
	};
	struct hf_result res;

	hf_admit(r, &ctx, &req, &e->scratch, s->wire[s->turn % 2], &res);
	if (res.verdict != HF_ADMIT)
		die("%s: frame %u is not admitted: limit %u at %u, %lld, allowed %lld", s->name,
		    s->turn, res.reason.limit, res.reason.where, (long long)res.reason.measured,
		    (long long)res.reason.bound);
	s->turn++;
}

static void quick_scalar(struct size *s)
{
	admit(s, &scalar, s->quick[0], &s->frame[s->turn % FRAMES]);
}

static void quick_simd(struct size *s)
{
	admit(s, &simd, s->quick[1], &s->frame[s->turn % FRAMES]);
}

static void exact_scalar(struct size *s)
{
	admit(s, &scalar, s->exact[0], &s->frame[s->turn % FRAMES]);
}

static void exact_simd(struct size *s)
{
	admit(s, &simd, s->exact[1], &s->frame[s->turn % FRAMES]);
}

static void alike(struct size *s, u32 which)
{
	u32 i = s->turn % (2 * FRAMES - 2);

	i = i < FRAMES ? i : 2 * FRAMES - 2 - i;
	if (simd.way)
		admit(s, &simd, s->exact[1], &s->alike[which][i]);
	else
		admit(s, &scalar, s->exact[0], &s->alike[which][i]);
}

static void changed_1(struct size *s)
{
	alike(s, 0);
}

static void changed_8(struct size *s)
{
	alike(s, 1);
}

static void changed_32(struct size *s)
{
	alike(s, 2);
}

/* What the driver keeps of each frame beside the verdict: power, heat, dose, time of emission. */
static void books(struct size *s)
{
	u64 now = s->kept->now_ns + PERIOD_NS;

	hf_model_advance_lazily(s->kept, s->np, now);
	hf_model_copy(s->seen, s->kept, false);
	hf_model_output(s->kept, s->np, &s->exact[0]->env, s->power_uw[s->turn++ % FRAMES],
			s->wire[0]->point_mpa, s->points, now + PERIOD_NS / 50);
}

/* The check of the fence alone, which is what NumPy and the reference do. */
static void fence_quick(struct size *s, struct engine *e, const struct hf_rules *r)
{
	u32 j, i = s->turn++ % FRAMES;

	hf_field_quick(&e->scratch.field, &e->lut, &r->rows, r->point, s->wired[i].amp);
	for (j = 0; j < s->points; j++)
		if (e->scratch.field.sum_mpa[j] > r->env.fence[j].limit_mpa)
			die("%s: point %u is above its limit by the sum", s->name, j);
}

static void fence_exact(struct size *s, struct engine *e, const struct hf_rules *r)
{
	struct hf_field_work *w = &e->scratch.field;
	u32 j, i = s->turn++ % FRAMES;

	hf_field_quick(w, &e->lut, &r->rows, r->point, s->wired[i].amp);
	hf_field_exact(w, &e->lut, &r->rows, 0, s->wired[i].phase, s->wired[i].amp);
	for (j = 0; j < s->points; j++)
		if (hf_field_bound_mpa(&r->point[j], w, j, s->channels, 0) >
		    r->env.fence[j].limit_mpa)
			die("%s: point %u is above its limit", s->name, j);
}

static void fence_quick_scalar(struct size *s)
{
	fence_quick(s, &scalar, s->quick[0]);
}

static void fence_quick_simd(struct size *s)
{
	fence_quick(s, &simd, s->quick[1]);
}

static void fence_exact_scalar(struct size *s)
{
	fence_exact(s, &scalar, s->exact[0]);
}

static void fence_exact_simd(struct size *s)
{
	fence_exact(s, &simd, s->exact[1]);
}

/* As one writes it down: gains and path phases precomputed, libm for the rest. */
static double pressure(const struct size *s, u32 frame, u32 point)
{
	const double *g = s->gain + (size_t)point * s->channels;
	const double *theta = s->theta + (size_t)point * s->channels;
	double complex p = 0;
	u32 i;

	for (i = 0; i < s->channels; i++)
		p += s->frame[frame].amp[i] / 65535.0 * g[i] *
		     cexp(I * (s->frame[frame].phase[i] / 65536.0 * two_pi + theta[i]));
	return cabs(p);
}

static void double_reference(struct size *s)
{
	u32 j, i = s->turn++ % FRAMES;

	for (j = 0; j < s->points; j++) {
		double p = pressure(s, i, j);

		if (p * 1000 > s->exact[0]->env.fence[j].limit_mpa)
			die("%s: double precision refuses frame %u at point %u", s->name, i, j);
		sink = p;
	}
}

/* What the frame itself takes to be moved once, phases and amplitudes. */
static void copy(struct size *s)
{
	static u16 to[2][HF_MAX_CHANNELS];
	u32 i = s->turn++ % FRAMES;

	memcpy(to[0], s->frame[i].phase, s->channels * sizeof(u16));
	memcpy(to[1], s->frame[i].amp, s->channels * sizeof(u16));
	__asm__ volatile("" : : "r"(to) : "memory");
}

/*
 * The limit of AVX2, measured: phasors and gains that are ready, 4 bytes each, four
 * points at a time so that phasors are loaded once for four, and two vpmaddwd for 8
 * channels of a point, summed in 32 bits. Such sums overflow: what can be used costs more.
 */
#ifdef __x86_64__
#define ABREAST	4

__attribute__((target("avx2"))) static void avx2_limit(struct size *s)
{
	static s16 re[2 * HF_MAX_CHANNELS] __attribute__((aligned(32)));
	static s16 im[2 * HF_MAX_CHANNELS] __attribute__((aligned(32)));
	static struct hf_cs16 gains[HF_MAX_FENCE][HF_MAX_CHANNELS] __attribute__((aligned(32)));
	__m256i any = _mm256_setzero_si256();
	u32 i, j, k;

	for (j = 0; j + ABREAST <= s->points; j += ABREAST) {
		__m256i a[ABREAST] = {}, b[ABREAST] = {};

		for (i = 0; i < s->channels; i += 8) {
			__m256i x = _mm256_load_si256((const void *)(re + 2 * i));
			__m256i y = _mm256_load_si256((const void *)(im + 2 * i));

#pragma GCC unroll 4
			for (k = 0; k < ABREAST; k++) {
				__m256i g = _mm256_load_si256((const void *)&gains[j + k][i]);

				a[k] = _mm256_add_epi32(a[k], _mm256_madd_epi16(g, x));
				b[k] = _mm256_add_epi32(b[k], _mm256_madd_epi16(g, y));
			}
		}
#pragma GCC unroll 4
		for (k = 0; k < ABREAST; k++)
			any = _mm256_xor_si256(any, _mm256_xor_si256(a[k], b[k]));
	}
	__asm__ volatile("" : : "x"(any));
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static void avx2_limit(struct size *s)
{
	(void)s;
}

static bool has_avx2(void)
{
	return false;
}
#endif

static bool always(void)
{
	return true;
}

static bool has_simd(void)
{
	return simd.way;
}

static const struct way {
	const char *name;
	void (*fn)(struct size *s);
	bool (*here)(void);	/* can this machine do it? */
} ways[] = {
	{ "quick_scalar", quick_scalar, always },
	{ "quick_simd", quick_simd, has_simd },
	{ "exact_scalar", exact_scalar, always },
	{ "exact_simd", exact_simd, has_simd },
	{ "changed_1", changed_1, always },
	{ "changed_8", changed_8, always },
	{ "changed_32", changed_32, always },
	{ "books", books, always },
	{ "fence_quick_scalar", fence_quick_scalar, always },
	{ "fence_quick_simd", fence_quick_simd, has_simd },
	{ "fence_exact_scalar", fence_exact_scalar, always },
	{ "fence_exact_simd", fence_exact_simd, has_simd },
	{ "double_reference", double_reference, always },
	{ "copy", copy, always },
	{ "avx2_limit", avx2_limit, has_avx2 },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

/* ---- sizes ---- */

static void make_nameplate(struct size *s)
{
	struct hf_nameplate *np = room(sizeof(*np));
	u32 cols = s->channels <= 64 ? 8 : s->channels <= 256 ? 16 : 32, i;

	np->channels = s->channels;
	np->phase_levels = PHASE_LEVELS;
	np->amp_levels = 255;
	np->p0_safety_upam = 8000000;
	np->p0_nominal_upam = 3400000;
	np->wavelength_nm = 8580000;
	np->aperture_um = 4500;
	np->p_drive_uw = 41000;
	np->p_acoustic_uw = 159000;
	np->rth_chan_mk_per_w = 120000;
	np->tau_chan_ms = 60000;
	np->rth_array_mk_per_w = 700;
	np->tau_array_ms = 45000;
	np->tau_power_ms = 10000;
	for (i = 0; i < s->channels; i++) {
		np->pos[i].x_um = ((s32)(i % cols) * 2 - (s32)cols + 1) * 5250;
		np->pos[i].y_um = ((s32)(i / cols) * 2 - (s32)(s->channels / cols) + 1) * 5250;
		np->pos[i].nz_q14 = 1 << 14;
		np->cal[i].gain_q16 = HF_AMP_FULL;
	}
	/* every limit is looked at; those that grow with the size let these frames through */
	hf_envelope_loosest(&np->limits);
	np->limits.limit[HF_LIM_SLEW_PHASE] = 999999999;
	np->limits.limit[HF_LIM_SLEW_AMP] = 999999999;
	np->limits.limit[HF_LIM_FRAME_INTERVAL] = PERIOD_NS;
	np->limits.limit[HF_LIM_POWER_INST] = 1000000000;
	np->limits.limit[HF_LIM_POWER_AVG] = 1000000000;
	np->limits.limit[HF_LIM_CHAN_RISE] = 30000;
	np->limits.limit[HF_LIM_HOLD] = 500;
	np->limits.limit[HF_LIM_TICK_LATE] = 200;
	s->np = np;
}

static u16 any_phase(void)
{
	return (u16)(random_u32() % PHASE_LEVELS * (65536 / PHASE_LEVELS));
}

static void make_frames(struct size *s)
{
	u32 f, i, c;

	for (f = 0; f < FRAMES; f++)
		for (i = 0; i < s->channels; i++) {
			s->frame[f].phase[i] = any_phase();
			s->frame[f].amp[i] = (u16)(AMP_LO + random_u32() % (AMP_HI - AMP_LO));
		}
	for (c = 0; c < CHANGES; c++) {
		s->alike[c][0] = s->frame[0];
		for (f = 1; f < FRAMES; f++) {
			s->alike[c][f] = s->alike[c][f - 1];
			for (i = 0; i < changes[c]; i++)
				s->alike[c][f].phase[random_u32() % s->channels] = any_phase();
		}
	}
}

/* Gains and path phases of the same model in double precision (docs/field.md). */
static void make_reference(struct size *s)
{
	const double k = two_pi / (s->np->wavelength_nm * 1e-9);
	u32 j, i;

	s->gain = room(sizeof(double) * s->points * s->channels + 64);
	s->theta = room(sizeof(double) * s->points * s->channels + 64);
	for (j = 0; j < s->points; j++)
		for (i = 0; i < s->channels; i++) {
			const struct hf_fence_point *f = &s->exact[0]->env.fence[j];
			double x = (f->x_um - s->np->pos[i].x_um) * 1e-6;
			double y = (f->y_um - s->np->pos[i].y_um) * 1e-6;
			double z = f->z_um * 1e-6, d = sqrt(x * x + y * y + z * z);
			double u = k * s->np->aperture_um * 1e-6 * sqrt(x * x + y * y) / d;
			size_t at = (size_t)j * s->channels + i;

			s->gain[at] = s->np->p0_safety_upam * 1e-6 / d * (u ? 2 * j1(u) / u : 1);
			s->theta[at] = k * d;
		}
}

/* Rules whose fence points allow anything. */
static struct hf_rules *rules_of(const struct size *s, const struct engine *e)
{
	struct hf_rules *r = room(hf_rules_size(s->points, s->np));
	struct hf_envelope env = s->np->limits;
	static u64 id;
	u32 j;

	env.nfence = s->points;
	for (j = 0; j < s->points; j++)
		env.fence[j] = (struct hf_fence_point){
			(s32)(j % 8) * 25000 - 87500, (s32)(j / 8) * 25000 - 87500, 150000,
			4000000000U,
		};
	hf_envelope_canon(&env);
	if (hf_envelope_validate(&env, NULL) != HF_ENV_OK || env.nfence != s->points)
		die("%s: no such envelope", s->name);
	hf_rules_build(r, s->np, &e->lut, &env, NULL);
	r->id = ++id;
	return r;
}

/* What the field of a frame reaches at most at point @j, and what its amplitudes could: mPa. */
static void reach(struct size *s, const struct frame *f, u32 *top, u32 *sum)
{
	const struct hf_rules *r = s->quick[0];
	const struct hf_wire *w;
	u32 j;

	admit(s, &scalar, r, f);
	w = s->wire[(s->turn + 1) % 2];
	hf_field_quick(&work, &scalar.lut, &r->rows, r->point, w->amp_q16);
	hf_field_exact(&work, &scalar.lut, &r->rows, 0, w->phase, w->amp_q16);
	for (j = 0; j < s->points; j++) {
		u32 mpa = (u32)hf_field_bound_mpa(&r->point[j], &work, j, s->channels, 0);

		top[j] = mpa > top[j] ? mpa : top[j];
		sum[j] = w->point_mpa[j] < sum[j] ? w->point_mpa[j] : sum[j];
	}
}

/* Limits between the two, so that each point of each frame needs the field, and passes. */
static void make_rules(struct size *s)
{
	u32 top[HF_MAX_FENCE] = {}, sum[HF_MAX_FENCE], f, j, c, e;

	memset(sum, 0xff, sizeof(sum));
	for (e = 0; e < 2; e++) {
		if (e && !simd.way)
			continue;
		s->quick[e] = rules_of(s, e ? &simd : &scalar);
		s->exact[e] = rules_of(s, e ? &simd : &scalar);
	}
	for (f = 0; f < FRAMES; f++) {
		reach(s, &s->frame[f], top, sum);
		for (c = 0; c < CHANGES; c++)
			reach(s, &s->alike[c][f], top, sum);
	}
	for (j = 0; j < s->points; j++) {
		if (top[j] + 1 >= sum[j])
			die("%s: point %u: field %u mPa, sum %u mPa", s->name, j, top[j], sum[j]);
		for (e = 0; e < 2; e++)
			if (s->exact[e])
				s->exact[e]->env.fence[j].limit_mpa = top[j] +
								      (sum[j] - top[j]) / 2;
	}
	for (f = 0; f < FRAMES; f++) {
		const struct hf_wire *w = s->wire[s->turn % 2];

		admit(s, &scalar, s->exact[0], &s->frame[f]);
		memcpy(s->wired[f].phase, w->phase, sizeof(w->phase));
		memcpy(s->wired[f].amp, w->amp_q16, sizeof(w->amp_q16));
		memcpy(s->power_uw[f], w->chan_power_uw, sizeof(w->chan_power_uw));
		for (j = 0; j < s->points; j++)
			if (s->wire[(s->turn + 1) % 2]->point_mpa[j] > top[j])
				die("%s: point %u was not judged by the field", s->name, j);
	}
}

/* Do the rules and the reference judge the same? But for rounding of amplitudes to wire steps. */
static void compare(struct size *s)
{
	u32 f, j;

	for (f = 0; f < FRAMES; f++) {
		admit(s, &scalar, s->exact[0], &s->frame[f]);
		for (j = 0; j < s->points; j++) {
			const double *g = s->gain + (size_t)j * s->channels;
			double p = pressure(s, f, j) * 1000, all = 0;
			u32 i;

			for (i = 0; i < s->channels; i++)
				all += g[i] * s->frame[f].amp[i] / 65.535;
			if (fabs(p - s->wire[(s->turn + 1) % 2]->point_mpa[j]) > all / 100)
				die("%s: frame %u, point %u: reference %.0f mPa, rules %u", s->name,
				    f, j, p, s->wire[(s->turn + 1) % 2]->point_mpa[j]);
		}
	}
}

static void put(FILE *f, const void *data, size_t bytes)
{
	if (bytes && fwrite(data, 1, bytes, f) != bytes)
		die("write: %s", strerror(errno));
}

/*
 * u16 phase, amp [FRAMES][channels]; f64 gain, theta [points][channels], limit [points] Pa,
 * pressure [FRAMES][points] Pa
 */
static void write_inputs(const struct size *s, const char *folder)
{
	char path[512];
	FILE *f;
	u32 i, j;

	snprintf(path, sizeof(path), "%s/%s.bin", folder, s->name);
	f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	for (i = 0; i < FRAMES; i++)
		put(f, s->frame[i].phase, s->channels * sizeof(u16));
	for (i = 0; i < FRAMES; i++)
		put(f, s->frame[i].amp, s->channels * sizeof(u16));
	put(f, s->gain, sizeof(double) * s->points * s->channels);
	put(f, s->theta, sizeof(double) * s->points * s->channels);
	for (j = 0; j < s->points; j++) {
		double limit = s->exact[0]->env.fence[j].limit_mpa / 1000.0;

		put(f, &limit, sizeof(limit));
	}
	for (i = 0; i < FRAMES; i++)
		for (j = 0; j < s->points; j++) {
			double p = pressure(s, i, j);

			put(f, &p, sizeof(p));
		}
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

static void make_size(struct size *s, const char *text, const char *folder)
{
	memset(s, 0, sizeof(*s));
	if (sscanf(text, "%ux%u", &s->channels, &s->points) != 2 || s->channels % 16 ||
	    !s->channels || s->channels > HF_MAX_CHANNELS || s->points > HF_MAX_FENCE)
		die("no size '%s'", text);
	snprintf(s->name, sizeof(s->name), "%s", text);
	s->wire[0] = room(sizeof(*s->wire[0]));
	s->wire[1] = room(sizeof(*s->wire[1]));
	s->model = room(sizeof(*s->model));
	s->kept = room(sizeof(*s->kept));
	s->seen = room(sizeof(*s->seen));
	make_nameplate(s);
	if (hf_nameplate_check(s->np))
		die("%s: nameplate: %s", text, hf_nameplate_check(s->np));
	hf_model_init(s->kept, s->np, HF_NSEC_PER_SEC);
	s->kept->points = s->points;
	make_frames(s);
	make_rules(s);
	make_reference(s);
	compare(s);
	write_inputs(s, folder);
}

/* ---- timing ---- */

static int by_value(const void *x, const void *y)
{
	double p = *(const double *)x, q = *(const double *)y;

	return p < q ? -1 : p > q;
}

/* ns of one frame: the median of short chunks, so that what interrupts is left out. */
static double measure(struct size *s, const struct way *w, double seconds, u64 *runs)
{
	static double chunk[CHUNKS];
	u64 n = 1, begin, took, until = now_ns() + (u64)(seconds * 1e9), i;
	size_t chunks = 0;

	*runs = 0;
	do {
		begin = now_ns();
		for (i = 0; i < n; i++)
			w->fn(s);
		took = now_ns() - begin;
		*runs += n;
		if (took < CHUNK_NS / 2) {
			n *= 2;
			continue;
		}
		chunk[chunks++] = (double)took / (double)n;
	} while (chunks < CHUNKS && (!chunks || now_ns() < until));
	qsort(chunk, chunks, sizeof(*chunk), by_value);
	return chunk[chunks / 2];
}

/* One frame through both ways: the same verdict, scale, reason, wire values and pressures? */
static bool same_in_both(struct size *s, const struct frame *f, bool attenuate, u32 *verdict)
{
	static struct hf_wire wire[2];
	struct hf_result res[2];
	u32 e;

	memset(wire, 0, sizeof(wire));
	memset(res, 0, sizeof(res));
	for (e = 0; e < 2; e++) {
		const struct hf_context ctx = {
			.now_ns = HF_NSEC_PER_SEC, .model = s->model, .derate_q16 = HF_Q16_ONE,
		};
		const struct hf_request req = {
			.phase = f->phase, .amp = f->amp, .channels = s->channels,
			.attenuate = attenuate,
		};

		hf_admit(s->exact[e], &ctx, &req, e ? &simd.scratch : &scalar.scratch, &wire[e],
			 &res[e]);
	}
	*verdict = res[0].verdict;
	return !memcmp(&wire[0], &wire[1], sizeof(wire[0])) && res[0].verdict == res[1].verdict &&
	       res[0].scale_q16 == res[1].scale_q16 &&
	       !memcmp(&res[0].reason, &res[1].reason, sizeof(res[0].reason));
}

/*
 * Frames by chance, most of them like the one before in all but a few channels, against fences
 * of changing strength, so that each verdict comes. Returns how many there were before the first
 * that the two ways judge differently. 0: this processor has one way only.
 */
static u64 count_same(struct size *s, u64 frames)
{
	static struct frame f;
	u32 limit[HF_MAX_FENCE], i, e, verdict;
	u64 n, seen[HF_REJECT + 1] = {};

	for (i = 0; i < s->points; i++)
		limit[i] = s->exact[0]->env.fence[i].limit_mpa;
	for (n = 0; n < frames && simd.way; n++) {
		bool near = n % 4;
		u32 top = 1 + random_u32() % 65535, weaker = random_u32() % 6;

		for (i = 0; i < s->channels; i++) {
			if (near && random_u32() % 32)
				continue;
			f.phase[i] = (u16)random_u32();
			f.amp[i] = (u16)(random_u32() % top);
		}
		for (e = 0; e < 2; e++)
			for (i = 0; i < s->points; i++)
				s->exact[e]->env.fence[i].limit_mpa = limit[i] >> weaker;
		if (!same_in_both(s, &f, n % 3 == 0, &verdict))
			break;
		seen[verdict]++;
	}
	for (i = 0; i <= HF_REJECT && n == frames; i++)
		if (!seen[i])
			die("%s: none of %llu frames has verdict %u", s->name,
			    (unsigned long long)frames, i);
	for (e = 0; e < 2; e++)
		for (i = 0; i < s->points && simd.way; i++)
			s->exact[e]->env.fence[i].limit_mpa = limit[i];
	return n;
}

/* GHz, by a chain of additions that cannot take less than a cycle each. */
static double clock_ghz(void)
{
	double best = 0;
	int t;

	for (t = 0; t < 20; t++) {
		u64 begin = now_ns(), n = 100000, i, x = 1;

		for (i = 0; i < n; i++)
			__asm__ volatile("add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
					 "add %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\tadd %1, %0\n\t"
					 : "+r"(x) : "r"(begin));
		best = fmax(best, 8.0 * (double)n / (double)(now_ns() - begin));
	}
	return best;
}

static void engine_init(struct engine *e, const struct hf_dot_way *way)
{
	hf_phase_lut_init(&e->lut, PHASE_LEVELS);
	e->lut.way = way;
	e->way = way;
}

int main(int argc, char **argv)
{
	struct size *sizes;
	char line[128], name[24], way[32];
	unsigned long long frames;
	double seconds;
	u64 runs;
	int i;

	if (argc < 3)
		die("usage: rules_cost FOLDER CHANNELSxPOINTS...");
	setvbuf(stdout, NULL, _IOLBF, 0);
	engine_init(&scalar, &hf_dot_scalar);
	if (has_avx2())
		engine_init(&simd, &hf_dot_avx2);
	sizes = calloc((size_t)argc, sizeof(*sizes));
	if (!sizes)
		die("no memory");
	for (i = 2; i < argc; i++)
		make_size(&sizes[i], argv[i], argv[1]);
	fputs("ways", stdout);
	for (i = 0; i < (int)WAYS; i++)
		if (ways[i].here())
			printf(" %s", ways[i].name);
	puts("");
	while (fgets(line, sizeof(line), stdin)) {
		struct size *s = NULL;
		const struct way *w = NULL;

		if (!strcmp(line, "clock\n")) {
			printf("%.3f 0\n", clock_ghz());
			continue;
		}
		if (sscanf(line, "same %23s %llu", name, &frames) == 2) {
			for (i = 2; i < argc; i++)
				s = strcmp(sizes[i].name, name) ? s : &sizes[i];
			if (!s)
				die("no size %s", name);
			printf("%llu 0\n", (unsigned long long)count_same(s, frames));
			continue;
		}
		if (sscanf(line, "%23s %31s %lf", name, way, &seconds) != 3)
			die("what is '%s'?", line);
		for (i = 2; i < argc; i++)
			s = strcmp(sizes[i].name, name) ? s : &sizes[i];
		for (i = 0; i < (int)WAYS; i++)
			w = strcmp(ways[i].name, way) ? w : &ways[i];
		if (!s || !w)
			die("no size %s or way %s", name, way);
		seconds = measure(s, w, seconds, &runs);
		printf("%.3f %llu\n", seconds, (unsigned long long)runs);
	}
	return EXIT_SUCCESS;
}
