// SPDX-License-Identifier: GPL-2.0
/*
 * Frames as the library lays them out: every byte where uapi/holdfast.h says,
 * and what the kernel would refuse is refused here.
 */
#include "check.h"

Test(frame, of_foci_alone)
{
	const struct holdfast_focus foci[2] = {
		{ .x_um = 1, .y_um = -2, .z_um = 100000, .amp = 40000, .phase = 16384 },
		{ .x_um = -1, .amp = 25535 },
	};
	unsigned char buf[80];
	struct holdfast_frame f;

	memset(buf, 0x55, sizeof(buf));
	cr_assert_eq(holdfast_focus_frame_fill(buf, 64, 256, foci, 2, HOLDFAST_FRAME_WAIT, 7), 64);
	memcpy(&f, buf, sizeof(f));
	cr_assert_eq(f.magic, HOLDFAST_FRAME_MAGIC);
	cr_assert_eq(f.size, 64);
	cr_assert_eq(f.flags, HOLDFAST_FRAME_COMPUTE | HOLDFAST_FRAME_WAIT);
	cr_assert_eq(f.channels, 256);
	cr_assert_eq(f.foci, 2);
	cr_assert_eq(f.cookie, 7);
	cr_assert_eq(f.present_ns, 0);
	cr_assert_eq(memcmp(buf + 32, foci, sizeof(foci)), 0);
	cr_assert_eq(buf[64], 0x55, "written beyond the frame");
}

Test(frame, of_foci_that_no_kernel_takes)
{
	struct holdfast_focus foci[9] = { { .amp = 65535 }, { .amp = 0 } };
	unsigned char buf[256];

	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 256, foci, 8, 0, 0), 160);
	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 256, foci, 9, 0, 0), -EINVAL);
	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 256, foci, 0, 0, 0), -EINVAL);
	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 0, foci, 1, 0, 0), -EINVAL);
	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 1025, foci, 1, 0, 0), -EINVAL);
	cr_assert_eq(holdfast_focus_frame_fill(buf, 47, 256, foci, 1, 0, 0), -EINVAL);
	foci[7].amp = 1;
	cr_assert_eq(holdfast_focus_frame_fill(buf, sizeof(buf), 256, foci, 8, 0, 0), -EINVAL,
		     "more than the drive");
}

Test(frame, with_phases_of_its_own)
{
	const uint16_t phase[3] = { 1, 2, 3 }, amp[3] = { 4, 5, 6 };
	const struct holdfast_focus focus = { .z_um = 100000 };
	unsigned char buf[60];
	struct holdfast_frame f;

	cr_assert_eq(holdfast_frame_fill(buf, sizeof(buf), 3, phase, amp, &focus, 1, 0, 9), 60);
	memcpy(&f, buf, sizeof(f));
	cr_assert_eq(f.size, 60);
	cr_assert_eq(f.foci, 1);
	cr_assert_eq(memcmp(buf + 32, phase, sizeof(phase)), 0);
	cr_assert_eq(memcmp(buf + 38, amp, sizeof(amp)), 0);
	cr_assert_eq(memcmp(buf + 44, &focus, sizeof(focus)), 0);
	cr_assert_eq(holdfast_frame_fill(buf, 59, 3, phase, amp, &focus, 1, 0, 9), -EINVAL);
	cr_assert_eq(holdfast_frame_fill(buf, sizeof(buf), 3, phase, amp, &focus, 1,
					 HOLDFAST_FRAME_COMPUTE, 9), -EINVAL,
		     "that flag is for frames of foci alone");
}
