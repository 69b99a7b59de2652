// SPDX-License-Identifier: GPL-2.0
/*
 * CSV of AcousTools and OpenMPD: what is plain is read, everything else is
 * refused with line and column.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "check.h"

static int parse(const char *csv, size_t len, struct holdfast_stream **s, char *text)
{
	*s = NULL;
	text[0] = '\0';
	return holdfast_stream_parse_csv(s, csv, len, 40000, text);
}

static void refused(const char *csv, const char *expect)
{
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_stream *s;

	cr_assert_eq(parse(csv, strlen(csv), &s, text), -EINVAL, "\"%s\" accepted", csv);
	cr_assert_null(s);
	cr_assert(strstr(text, expect), "\"%s\": \"%s\" does not say \"%s\"", csv, text, expect);
}

static void accepted(const char *csv, uint32_t frames, const uint16_t *phase, uint32_t n)
{
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_stream *s;

	cr_assert_eq(parse(csv, strlen(csv), &s, text), 0, "\"%s\": %s", csv, text);
	cr_assert_eq(holdfast_stream_frames(s), frames);
	cr_assert_eq(holdfast_stream_channels(s), n / frames);
	cr_assert_eq(holdfast_stream_interval_ns(s), 0);
	for (uint32_t i = 0; i < n; i++) {
		const struct holdfast_frame *f = holdfast_stream_frame(s, i / (n / frames));
		const uint16_t *v = (const uint16_t *)(f + 1);

		cr_assert_eq(v[i % (n / frames)], phase[i], "value %u: %u where %u", i,
			     v[i % (n / frames)], phase[i]);
		cr_assert_eq(v[n / frames + i % (n / frames)], 40000);
		cr_assert_eq(f->foci, 0);
	}
	holdfast_stream_free(s);
}

Test(csv, plain)
{
	/* 0, a quarter, a half, three quarters of a turn; -pi/2; a whole turn is none. */
	static const uint16_t v[] = { 0, 16384, 32768, 49152, 49152, 0 };

	accepted("2,3\n0.0,1.5707963267948966,3.141592653589793\n"
		 "4.71238898038469,-1.5707963267948966,6.283185307179586\n", 2, v, 6);
	accepted("2,3\r\n0,1.5707963267948966,3.141592653589793\r\n"
		 "4.71238898038469,-1.5707963267948966,+6.283185307179586", 2, v, 6);
	accepted(" 2 , 3 \n0, 157.07963267948966e-2 ,.3141592653589793e1\n"
		 "4.71238898038469E0,-1.5707963267948966,6.283185307179586\n\n\r\n", 2, v, 6);
}

Test(csv, not_a_plain_number)
{
	static const char *const bad[] = { "nan", "NaN", "inf", "-inf", "0x10", "1e", "1e+", ".",
					   "-", "+", "", "one", "1_0", "--1", "'1'", "1d3" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char csv[64];

		snprintf(csv, sizeof(csv), "1,2\n0.5,%s\n", bad[i]);
		refused(csv, "line 2, column ");
	}
	refused("1,2\n0.5,1e9\n", "line 2, column 5: number beyond 1000000");
	refused("1,2\n0.5,1e999\n", "line 2, column 5: number beyond 1000000");
	refused("1,1\n0.00000000000000000000000000000000000000000000000000000000000000001\n",
		"line 2, column 1: number of more than 63 characters");
}

Test(csv, counts)
{
	refused("", "line 1, column 1: a decimal number is required");
	refused("frames,transducers\n", "line 1, column 1: a decimal number is required");
	refused("1\n0\n", "line 1, column 2: the row ends here");
	refused("0,1\n", "line 1, column 1: frames: a whole number from 1 to 1000000");
	refused("1.5,1\n", "frames: a whole number");
	refused("-1,1\n", "frames: a whole number");
	refused("1,0\n", "line 1, column 3: transducers: a whole number from 1 to 1024");
	refused("1,1025\n", "transducers: a whole number from 1 to 1024");
	refused("1000001,1\n", "line 1, column 1: number beyond 1000000");
	refused("1,2,3\n0,0\n", "line 1, column 4: the row must end here");
	refused("1,2\n0\n", "line 2, column 2: the row ends here, but more columns are required");
	refused("1,2\n0,0,0\n", "line 2, column 4: the row must end here");
	refused("1,2\n0;0\n", "line 2, column 2: a comma is required here");
	refused("1,2\n0,\n", "line 2, column 3: a decimal number is required");
	refused("2,2\n0,0\n", "line 3, column 1: the file ends here");
	refused("2,2\n0,0\n\n0,0\n", "line 3, column 1: a decimal number is required");
	refused("1,2\n0,0\n0,0\n", "line 3, column 1: more rows than the first line announces");
}

Test(csv, embedded_nul)
{
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_stream *s;

	cr_assert_eq(parse("1,2\n0\0,0\n", 10, &s, text), -EINVAL);
	cr_assert(strstr(text, "line 2, column 2"), "%s", text);
}

Test(csv, decimal_point_in_every_locale)
{
	static const uint16_t v[] = { 16384 };

	/* Present or not, the point must stay a point. */
	setlocale(LC_ALL, "de_DE.UTF-8");
	accepted("1,1\n1.5707963267948966\n", 1, v, 1);
}

Test(csv, truncations_and_mutations)
{
	static const char csv[] = "3,4\n0.1,-2.5,3.0e0,1\n1,2,3,4\n-0.5,1.5,2.5,-3.5\n";
	static const char alphabet[] = "0123456789+-.,eE\n\r nanxif\t;\0";
	uint64_t seed = check_seed();
	unsigned int ok = 0;
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_stream *s;

	/* Shorter by the last newline is still whole; shorter by a digit is another number. */
	for (size_t n = 0; n < sizeof(csv) - 4; n++) {
		char *q = malloc(n ? n : 1);

		memcpy(q, csv, n);
		cr_assert_lt(parse(q, n, &s, text), 0, "%zu bytes accepted", n);
		free(q);
	}
	for (int i = 0; i < 100000; i++) {
		size_t n = sizeof(csv) - 1;
		char *q;

		if (!(check_random(&seed) % 8))
			n = check_random(&seed) % n;
		q = malloc(n + 1);
		memcpy(q, csv, n);
		for (uint64_t k = check_random(&seed) % 4; n && k; k--)
			q[check_random(&seed) % n] =
				alphabet[check_random(&seed) % (sizeof(alphabet) - 1)];
		if (!parse(q, n, &s, text)) {
			cr_assert(holdfast_stream_frames(s) >= 1);
			cr_assert_eq(holdfast_stream_frame(s, holdfast_stream_frames(s) - 1)->magic,
				     HOLDFAST_FRAME_MAGIC);
			holdfast_stream_free(s);
			ok++;
		} else {
			cr_assert_null(s);
			cr_assert(!strncmp(text, "line ", 5), "\"%s\"", text);
		}
		free(q);
	}
	cr_assert(ok > 1000 && ok < 90000, "%u accepted", ok);
}
