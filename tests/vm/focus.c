// SPDX-License-Identifier: GPL-2.0
/*
 * Frames of foci alone (HOLDFAST_FRAME_COMPUTE), through the right that allows
 * nothing else: what the simulated transducers emit is held against the ideal
 * superposition in double precision (ledger.h), and the pressure at each focus
 * against what is possible there. No libholdfast, and no word of the driver's
 * where the ledger has one.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"
#include "tap.h"

#define ROOM_UM		60000	/* the box: +-x, +-y */
#define NEAR_UM		50000	/* and z */
#define FAR_UM		300000
#define ROUNDS		40

/* Channel 5 is masked below. */
static const char *const attrs[] = {
	"rows=16", "cols=16", "phase_levels=4096", "amp_levels=4096",
	"limit=box_min_x -60000", "limit=box_max_x 60000", "limit=box_min_y -60000",
	"limit=box_max_y 60000", "limit=box_min_z 50000", "limit=box_max_z 300000",
	"limit=focal_pressure 4500000", "limit=hold 5000", "limit=keeper_deadline 10000",
	"limit=tick_late 2000", "limit=reject_burst 1000", "limit=slew_phase 1000000000",
	"limit=slew_amp 1000000000", "limit=frame_interval 1000", NULL
};

static struct bench b;
static struct physics air;
static struct holdfast_frame *frame, *raw;
static int foci_only;	/* lease without RAW */
static unsigned int seed = 0x0f0c;

#define check(ok, ...)	bench_check(&b, ok, __VA_ARGS__)

static void want(int ret, int err, const char *what)
{
	bench_errno(&b, ret, err, what);
}

/* A frame that must be emitted; why it is not, if it is not */
static bool accepted(int fd, const char *what)
{
	struct holdfast_frame_result r = { .error = EIO };

	scene_submit(fd, frame, &r);
	return check(!r.error, "%s: %s, %s: %lld where %lld is allowed", what, strerror((int)r.error),
		     scene_limit_name(r.reason.limit), r.reason.measured, r.reason.bound);
}

static void result(const char *name)
{
	tap_ok(!b.failures, "%s", name);
	b.failures = 0;
}

static __s32 between(__s32 lo, __s32 hi)
{
	return lo + (__s32)((unsigned int)rand_r(&seed) % (unsigned int)(hi - lo + 1));
}

/* @n foci in the box, of equal shares that total @total */
static void foci_make(unsigned int n, unsigned int total)
{
	struct holdfast_focus *f;
	unsigned int i;

	scene_foci_init(frame, b.sim.info.channels, n);
	f = scene_foci(frame);
	for (i = 0; i < n; i++)
		f[i] = (struct holdfast_focus){
			between(-ROOM_UM, ROOM_UM), between(-ROOM_UM, ROOM_UM),
			between(NEAR_UM, FAR_UM), (__u16)(total / n), (__u16)between(0, 65535),
		};
}

/* The frame that is on now: the last of the ledger */
static const struct emission *emitted(void)
{
	emissions_read(&b.es, &b.ledger);
	return b.es.count && b.es.on ? &b.es.e[b.es.count - 1] : NULL;
}

static size_t emissions_so_far(void)
{
	emissions_read(&b.es, &b.ledger);
	return b.es.count;
}

/* Every channel of what is on, against the ideal */
static void judge(bool less)
{
	const struct emission *e = emitted();
	unsigned int wrong = 0, on = 0;
	__u32 i;

	if (!check(e, "nothing is on"))
		return;
	for (i = 0; i < b.sim.info.channels; i++) {
		on += e->level[i] != 0;
		wrong += !physics_foci_made(&air, frame, i, e->phase[i], e->level[i], less);
	}
	check(!wrong, "%u of %u channels are not what %u foci make", wrong, on, frame->foci);
	check(on > b.sim.info.channels / 2, "%u channels on", on);
}

/*
 * One focus on the wire: phases in whole steps lose at most 1 - cos(pi / levels) of
 * what all channels in phase would make there, amplitudes nothing beyond their level.
 */
static void judge_pressure(void)
{
	const struct holdfast_focus *f = scene_foci(frame);
	const struct emission *e = emitted();
	double complex g[HOLDFAST_MAX_CHANNELS];
	double possible = 0, pa;
	__u32 i;

	if (!e)
		return;
	physics_gains(&air, f->x_um * 1e-6, f->y_um * 1e-6, f->z_um * 1e-6, g);
	for (i = 0; i < b.sim.info.channels; i++)
		possible += cabs(g[i]) * e->level[i] / air.amp_levels;
	pa = physics_pressure(&air, g, e->phase, e->level);
	check(pa <= possible * (1 + 1e-9) && pa >= possible * (cos(M_PI / air.phase_levels) - 1e-6),
	      "%.3f Pa at the focus where %.3f are possible", pa, possible);
}

static void test_inside(void)
{
	unsigned int i, n;

	for (i = 0; i < ROUNDS; i++) {
		n = 1 + i % HOLDFAST_MAX_FOCI;
		foci_make(n, n == 1 ? 20000 : 40000);
		frame->cookie = i;
		accepted(foci_only, "foci in the box");
		judge(false);
		if (n == 1)
			judge_pressure();
		scene_sleep_ms(2);
	}
	result("one to eight foci in the box: emitted as the ideal says");
}

/* On the faces of the box, one um beyond, and as far away as numbers go */
static void test_outside(void)
{
	static const __s32 lo[3] = { -ROOM_UM, -ROOM_UM, NEAR_UM };
	static const __s32 hi[3] = { ROOM_UM, ROOM_UM, FAR_UM };
	static const __s32 far[] = { 10000000, 10000001, 2147483647, -10000001, -2147483647 - 1 };
	struct holdfast_frame_result r;
	unsigned int axis, i, n = 3, k;
	size_t before;

	for (i = 0; i < 6; i++) {
		axis = i % 3;
		foci_make(n, 20000);
		*(&scene_foci(frame)[1].x_um + axis) = i < 3 ? lo[axis] : hi[axis];
		accepted(foci_only, "a focus on a face of the box");
		judge(false);
		before = emissions_so_far();
		*(&scene_foci(frame)[1].x_um + axis) += i < 3 ? -1 : 1;
		scene_sleep_ms(2);
		want(scene_submit(foci_only, frame, &r), 0, "submit");
		check(r.error == ERANGE && r.reason.where == 1 && r.reason.limit ==
		      (i < 3 ? HOLDFAST_LIM_BOX_MIN_X : HOLDFAST_LIM_BOX_MAX_X) + axis &&
		      r.reason.bound == (i < 3 ? lo[axis] : hi[axis]) &&
		      r.reason.measured == r.reason.bound + (i < 3 ? -1 : 1),
		      "error %u, %s of focus %u: %lld, bound %lld", r.error,
		      scene_limit_name(r.reason.limit), r.reason.where, r.reason.measured,
		      r.reason.bound);
		check(emissions_so_far() == before, "refused, and emitted");
	}
	for (k = 0; k < sizeof(far) / sizeof(far[0]); k++) {
		foci_make(1, 20000);
		scene_foci(frame)->z_um = far[k];
		before = emissions_so_far();
		/* no share of the drive takes a focus out of the box */
		want(scene_write(foci_only, frame), ERANGE, "a focus far away");
		scene_foci_init(frame, b.sim.info.channels, 2);
		scene_foci(frame)[0] = (struct holdfast_focus){ 0, 0, 100000, 10000, 0 };
		scene_foci(frame)[1] = (struct holdfast_focus){ far[k], 0, 100000, 0, 0 };
		want(scene_write(foci_only, frame), ERANGE, "one of share 0 outside");
		check(emissions_so_far() == before, "refused, and emitted");
	}
	result("foci outside the box: refused, with the reason");
}

/* Too strong a focus: refused, or turned down as a whole */
static void test_attenuate(void)
{
	struct holdfast_frame_result r;
	double pa;

	foci_make(1, 65535);
	scene_foci(frame)->x_um = 0;
	scene_foci(frame)->y_um = 0;
	scene_foci(frame)->z_um = 60000;
	want(scene_submit(foci_only, frame, &r), 0, "submit");
	check(r.error == ERANGE && r.reason.limit == HOLDFAST_LIM_FOCAL_PRESSURE, "error %u, %s",
	      r.error, scene_limit_name(r.reason.limit));
	frame->flags |= HOLDFAST_FRAME_ATTENUATE;
	scene_sleep_ms(2);
	want(scene_submit(foci_only, frame, &r), 0, "submit");
	check(!r.error && r.verdict == HOLDFAST_VERDICT_ATTENUATE && r.scale_q16 < 65536,
	      "verdict %u, error %u", r.verdict, r.error);
	judge(true);
	judge_pressure();
	pa = physics_pressure_at(&air, 0, 0, 60000, emitted()->phase, emitted()->level);
	check(pa <= 4500 && pa > 4300, "%.1f Pa where 4500 are allowed", pa);
	frame->flags = HOLDFAST_FRAME_COMPUTE | HOLDFAST_FRAME_WAIT;
	scene_foci(frame)->amp = 1000;
	accepted(foci_only, "with FRAME_WAIT");
	judge(false);
	result("attenuation scales all of it, FRAME_WAIT waits");
}

static void test_silence(void)
{
	foci_make(3, 20000);
	accepted(foci_only, "foci");
	check(emitted(), "nothing is on");
	scene_foci(frame)[0].amp = 0;
	scene_foci(frame)[1].amp = 0;
	scene_foci(frame)[2].amp = 0;
	accepted(foci_only, "amplitudes of 0, at once");
	check(!emitted(), "still on");
	/* in opposition at one place: silence too */
	foci_make(2, 40000);
	scene_foci(frame)[1] = scene_foci(frame)[0];
	scene_foci(frame)[1].phase ^= 0x8000;
	accepted(foci_only, "foci that cancel");
	check(!emitted(), "foci that cancel are on");
	result("amplitude 0 is silence");
}

/* Phases of its own need RAW: declared foci, in the box or not, are no way round it. */
static void test_rights(void)
{
	const struct scene_ask none = { .rights = HOLDFAST_RIGHT_ARM };
	int arm_only = scene_lease(b.keeper.fd, b.keeper.epoch, &none, NULL);
	size_t before = emissions_so_far();

	scene_frame_init(raw, b.sim.info.channels, 1);
	scene_frame_focus(raw, &b.sim, 0, 0, 100000, 2000);
	scene_foci(raw)->z_um = 100000;
	want(scene_write(foci_only, raw), EPERM, "phases, with the focus that they make");
	scene_frame_init(raw, b.sim.info.channels, 0);
	want(scene_write(foci_only, raw), EPERM, "an all-off frame");
	scene_frame_focus(raw, &b.sim, 0, 0, 100000, 2000);
	want(scene_write(foci_only, raw), EPERM, "phases alone");
	foci_make(1, 2000);
	want(scene_write(arm_only, frame), EPERM, "foci, with no right to frames");
	check(emissions_so_far() == before, "refused, and emitted");
	accepted(b.lease, "foci, with all rights");
	judge(false);
	scene_sleep_ms(2);
	want(scene_write(b.lease, raw), 0, "phases, with RAW");
	close(arm_only);
	result("what needs RAW is refused without it");
}

static void malformed(const char *what, int err)
{
	size_t before = emissions_so_far();

	want(scene_write(foci_only, frame), err, what);
	check(emissions_so_far() == before, "%s: emitted", what);
}

static void test_malformed(void)
{
	__u32 size;

	scene_foci_init(frame, b.sim.info.channels, 0);
	malformed("no focus", EINVAL);
	foci_make(8, 8000);
	frame->foci = 9;
	frame->size += 16;
	malformed("nine foci", EINVAL);
	foci_make(2, 2000);
	size = frame->size;
	frame->size = size + 4;
	malformed("size too large", EINVAL);
	frame->size = size - 16;
	malformed("size too small", EINVAL);
	frame->size = (__u32)scene_frame_bytes(b.sim.info.channels, 2);
	malformed("the size of a frame with phases", EINVAL);
	foci_make(2, 2000);
	frame->channels--;
	malformed("channels", EINVAL);
	foci_make(2, 2000);
	frame->present_ns = 1;
	malformed("present_ns", EINVAL);
	foci_make(2, 2000);
	frame->flags |= 8;
	malformed("an unknown flag", EINVAL);
	foci_make(8, 65528);
	scene_foci(frame)[3].amp += 8;
	malformed("shares of more than the drive", EINVAL);
	want(write(foci_only, frame, frame->size - 1) < 0 ? -errno : 0, EMSGSIZE, "cut short");
	foci_make(8, 65528);
	scene_foci(frame)[3].amp += 7;
	frame->flags |= HOLDFAST_FRAME_ATTENUATE;
	accepted(foci_only, "shares of all the drive");
	judge(true);
	result("malformed frames of foci");
}

/* Two kinds in one write: the driver finds the second behind the first. */
static void test_together(void)
{
	static char two[65536];
	struct holdfast_frame *second;
	ssize_t n;

	scene_sleep_ms(5);
	foci_make(4, 8000);
	memcpy(two, raw, raw->size);
	second = (void *)(two + raw->size);
	frame->flags |= HOLDFAST_FRAME_WAIT;
	memcpy(second, frame, frame->size);
	n = write(b.lease, two, raw->size + frame->size);
	if (check(n == (ssize_t)(raw->size + frame->size), "%zd bytes taken", n))
		judge(false);
	else
		accepted(b.lease, "the second");
	result("phases and foci in one write");
}

/* The box may be tightened while a focus is held: it goes off before the call returns. */
static void test_tightened(void)
{
	foci_make(1, 2000);
	scene_foci(frame)->x_um = ROOM_UM;
	scene_sleep_ms(2);
	accepted(foci_only, "a focus at the face of the box");
	judge(false);
	want(scene_site_tighten(b.keeper.fd, HOLDFAST_LIM_BOX_MAX_X, ROOM_UM - 1), 0, "tighten");
	check(!emitted(), "held outside the box");
	want(scene_write(foci_only, frame), ERANGE, "again");
	result("a held focus that a smaller box leaves outside");
}

int main(void)
{
	const struct scene_ask ask = { .rights = HOLDFAST_RIGHT_FRAMES, .label = "foci" };
	__u64 mask[HOLDFAST_MAX_CHANNELS / 64];

	scene_load();
	bench_open(&b, "focus", attrs);
	foci_only = scene_lease(b.keeper.fd, b.keeper.epoch, &ask, NULL);
	frame = scene_frame_new(b.sim.info.channels, HOLDFAST_MAX_FOCI + 1);
	raw = scene_frame_new(b.sim.info.channels, HOLDFAST_MAX_FOCI);
	physics_init(&air, &b.sim);
	memset(mask, 0xff, sizeof(mask));
	mask[0] &= ~(1ULL << 5);
	if (foci_only < 0 || scene_site_mask(b.keeper.fd, mask))
		tap_bail("cannot set the scene");
	scene_keeper_arm(&b.keeper);
	test_inside();
	test_outside();
	test_attenuate();
	test_silence();
	test_rights();
	test_malformed();
	test_together();
	test_tightened();
	close(foci_only);
	physics_free(&air);
	bench_close(&b);
	free(frame);
	free(raw);
	return tap_done();
}
