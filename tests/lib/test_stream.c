// SPDX-License-Identifier: GPL-2.0
/*
 * Stream files: what was written is read back, every truncation and every
 * single wrong byte is refused, and whatever bytes there are, the parser gives
 * a whole stream or an error with a text.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"

#define CHANNELS	6
#define FRAMES		4
#define HEADER		64

/* Offsets in the header (docs/stream-format.md). */
#define AT_VERSION	4
#define AT_CHANNELS	8
#define AT_FRAMES	12
#define AT_INTERVAL	16
#define AT_SIZE		24
#define AT_CRC		32
#define AT_RESERVED	36
#define AT_HEADER_CRC	60

static struct holdfast_stream *sample(void)
{
	struct holdfast_focus foci[3] = { { .x_um = 1 }, { .y_um = -2 }, { .z_um = 100000 } };
	struct holdfast_stream *s;

	cr_assert_eq(holdfast_stream_new(&s, CHANNELS, 10000000), 0);
	for (uint16_t i = 0; i < FRAMES; i++) {
		uint16_t phase[CHANNELS], amp[CHANNELS];

		for (uint16_t k = 0; k < CHANNELS; k++) {
			phase[k] = (uint16_t)(i * 1000 + k);
			amp[k] = (uint16_t)(65535 - k);
		}
		cr_assert_eq(holdfast_stream_append(s, phase, amp, foci, i % 4), 0);
	}
	return s;
}

/* The bytes of the sample's file. */
static unsigned char *sample_file(size_t *len)
{
	char path[] = "/tmp/holdfast-test-XXXXXX";
	struct holdfast_stream *s = sample();
	unsigned char *p;
	struct stat st;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	close(fd);
	cr_assert_eq(holdfast_stream_save(s, path), 0);
	holdfast_stream_free(s);
	fd = open(path, O_RDONLY);
	cr_assert(fd >= 0 && !fstat(fd, &st));
	*len = (size_t)st.st_size;
	p = malloc(*len);
	cr_assert_eq(read(fd, p, *len), (ssize_t)*len);
	close(fd);
	unlink(path);
	return p;
}

static void put32(unsigned char *p, size_t at, uint32_t v)
{
	memcpy(p + at, &v, sizeof(v));
}

/* Makes the checksums right again after a change. */
static void sign(unsigned char *p, size_t len)
{
	put32(p, AT_CRC, (uint32_t)crc32(0, p + HEADER, (uInt)(len - HEADER)));
	put32(p, AT_HEADER_CRC, (uint32_t)crc32(0, p, AT_HEADER_CRC));
}

static void refused(const unsigned char *p, size_t len, const char *expect)
{
	char text[HOLDFAST_TEXT_LEN] = "";
	struct holdfast_stream *s = NULL;

	cr_assert_lt(holdfast_stream_parse(&s, p, len, text), 0, "%s: accepted", expect);
	cr_assert_null(s);
	cr_assert(strstr(text, expect), "\"%s\" does not say \"%s\"", text, expect);
}

/* Whatever was accepted must be usable in full. */
static void walk(const struct holdfast_stream *s)
{
	uint32_t channels = holdfast_stream_channels(s);
	volatile unsigned int sum = 0;

	cr_assert(channels >= 1 && channels <= HOLDFAST_MAX_CHANNELS);
	cr_assert(holdfast_stream_frames(s) >= 1);
	for (uint32_t i = 0; i < holdfast_stream_frames(s); i++) {
		const struct holdfast_frame *f = holdfast_stream_frame(s, i);

		cr_assert_eq(f->magic, HOLDFAST_FRAME_MAGIC);
		cr_assert_eq(f->channels, channels);
		cr_assert_leq(f->foci, HOLDFAST_MAX_FOCI);
		cr_assert_eq(f->size, holdfast_frame_size(f->channels, f->foci));
		cr_assert_eq(f->flags, 0);
		cr_assert_eq(f->present_ns, 0);
		cr_assert_eq(f->cookie, i);
		for (size_t k = 0; k < f->size; k++)
			sum += ((const unsigned char *)f)[k];
	}
}

Test(stream, round_trip)
{
	struct holdfast_stream *a = sample(), *b = NULL;
	char text[HOLDFAST_TEXT_LEN];
	unsigned char *p;
	size_t len;

	p = sample_file(&len);
	cr_assert_eq(holdfast_stream_parse(&b, p, len, text), 0, "%s", text);
	walk(b);
	cr_assert_eq(holdfast_stream_frames(b), FRAMES);
	cr_assert_eq(holdfast_stream_channels(b), CHANNELS);
	cr_assert_eq(holdfast_stream_interval_ns(b), 10000000);
	for (uint32_t i = 0; i < FRAMES; i++) {
		const struct holdfast_frame *f = holdfast_stream_frame(a, i);

		cr_assert_eq(memcmp(f, holdfast_stream_frame(b, i), f->size), 0);
	}
	holdfast_stream_free(a);
	holdfast_stream_free(b);
	free(p);
}

Test(stream, every_truncation_is_refused)
{
	size_t len;
	unsigned char *p = sample_file(&len);

	for (size_t n = 0; n < len; n++) {
		/* A copy of just that size, so that reading on is seen. */
		unsigned char *q = malloc(n ? n : 1);

		memcpy(q, p, n);
		refused(q, n, "");
		free(q);
	}
	free(p);
}

Test(stream, every_wrong_bit_is_refused)
{
	size_t len;
	unsigned char *p = sample_file(&len);

	for (size_t bit = 0; bit < 8 * len; bit++) {
		p[bit / 8] ^= (unsigned char)(1 << bit % 8);
		refused(p, len, "");
		p[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	free(p);
}

struct change {
	size_t at;
	uint32_t value;
	const char *expect;
};

Test(stream, header_and_frames_are_checked_behind_a_right_checksum)
{
	static const struct change changes[] = {
		{ AT_VERSION, 64 << 16 | 2, "version 2 where 1 is known" },
		{ AT_VERSION, 65 << 16 | 1, "size 65 where 64" },
		{ AT_CHANNELS, 0, "0 channels where 1..1024" },
		{ AT_CHANNELS, 1025, "1025 channels where 1..1024" },
		{ AT_CHANNELS, 7, "frame 0: 6 channels where the stream has 7" },
		{ AT_FRAMES, 0, "0 frames" },
		{ AT_FRAMES, 1000001, "1000001 frames" },
		{ AT_FRAMES, FRAMES - 1, "after the last of 3 frames" },
		{ AT_FRAMES, FRAMES + 1, "frame 4: 0 bytes where its header needs 32" },
		{ AT_INTERVAL, 999, "frame interval 999 ns" },
		{ AT_SIZE, 1, "where the header states 1" },
		{ AT_RESERVED, 1, "reserved bytes must be 0" },
		{ AT_RESERVED + 20, 1, "reserved bytes must be 0" },
		{ HEADER + 0, 0x12345678, "frame 0: magic 0x12345678" },
		{ HEADER + 4, 55, "frame 0: size 55 where 56" },
		{ HEADER + 8, 1, "frame 0: flags" },
		{ HEADER + 12, 5, "frame 0: 5 channels where the stream has 6" },
		{ HEADER + 12, 9 << 16 | 6, "frame 0: 9 foci where 8" },
		{ HEADER + 12, 8 << 16 | 6, "frame 0: size 56 where 184" },
		{ HEADER + 24, 1, "frame 0: flags and presentation time must be 0" },
		{ HEADER + 56 + 56 + 12, 1, "frame 1: amp and phase of focus 0" },
		{ HEADER + 56 + 56 + 12, 1 << 16, "frame 1: amp and phase of focus 0" },
		{ HEADER + 8, HOLDFAST_FRAME_COMPUTE, "frame 0: flags" },
	};
	size_t len;
	unsigned char *p = sample_file(&len), *q = malloc(len);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		memcpy(q, p, len);
		put32(q, changes[i].at, changes[i].value);
		sign(q, len);
		refused(q, len, changes[i].expect);
	}
	free(p);
	free(q);
}

Test(stream, last_frame_longer_than_the_file)
{
	size_t len;
	unsigned char *p = sample_file(&len);

	/* One byte less, with all sizes and checksums as they should be. */
	put32(p, AT_SIZE, (uint32_t)(len - 1 - HEADER));
	sign(p, len - 1);
	refused(p, len - 1, "frame 3: 103 bytes where it has 104");
	free(p);
}

Test(stream, random_mutations)
{
	uint64_t seed = check_seed();
	unsigned int accepted = 0;
	size_t len;
	unsigned char *p = sample_file(&len), *q = malloc(len);

	for (int i = 0; i < 100000; i++) {
		char text[HOLDFAST_TEXT_LEN] = "";
		struct holdfast_stream *s = NULL;
		size_t n = check_random(&seed) % 8 ? len : check_random(&seed) % (len + 1);

		memcpy(q, p, len);
		for (uint64_t k = 1 + check_random(&seed) % 6; k; k--)
			q[check_random(&seed) % len] = (unsigned char)check_random(&seed);
		if (n >= HEADER && check_random(&seed) % 4)
			sign(q, n);
		if (!holdfast_stream_parse(&s, q, n, text)) {
			walk(s);
			holdfast_stream_free(s);
			accepted++;
		} else {
			cr_assert_null(s);
			cr_assert(text[0]);
		}
	}
	/* Changed phases behind a right checksum are another stream, not a wrong one. */
	cr_assert(accepted > 1000 && accepted < 90000, "%u accepted", accepted);
	free(p);
	free(q);
}

Test(stream, bounds_of_building)
{
	uint16_t v[HOLDFAST_MAX_CHANNELS] = { 0 };
	struct holdfast_focus foci[9] = { { 0 } };
	struct holdfast_stream *s;

	cr_assert_eq(holdfast_stream_new(&s, 0, 0), -EINVAL);
	cr_assert_eq(holdfast_stream_new(&s, HOLDFAST_MAX_CHANNELS + 1, 0), -EINVAL);
	cr_assert_eq(holdfast_stream_new(&s, 1, 999), -EINVAL);
	cr_assert_eq(holdfast_stream_new(&s, 1, 10000000001ULL), -EINVAL);
	cr_assert_eq(holdfast_stream_new(&s, HOLDFAST_MAX_CHANNELS, 1000), 0);
	cr_assert_eq(holdfast_stream_append(s, v, v, foci, 9), -EINVAL);
	cr_assert_eq(holdfast_stream_save(s, "/tmp/holdfast-never"), -EINVAL);
	cr_assert_eq(holdfast_stream_append(s, v, v, foci, 8), 0);
	holdfast_stream_free(s);
}

Test(stream, load_says_what_is_wrong_with_the_file)
{
	char text[HOLDFAST_TEXT_LEN];
	struct holdfast_stream *s;

	cr_assert_eq(holdfast_stream_load(&s, "/nonexistent", 65535, text), -ENOENT);
	cr_assert_eq(holdfast_stream_load(&s, "/tmp", 65535, text), -EINVAL);
	cr_assert(strstr(text, "not a regular file"));
}

Test(stream, frames_of_odd_sizes_are_aligned_and_survive_a_file)
{
	char path[] = "/tmp/holdfast-test-XXXXXX", text[HOLDFAST_TEXT_LEN];
	uint16_t v[3] = { 1, 2, 3 };
	struct holdfast_stream *s;

	close(mkstemp(path));
	cr_assert_eq(holdfast_stream_new(&s, 3, 0), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(holdfast_stream_append(s, v, v, NULL, 0), 0);
	cr_assert_eq(holdfast_stream_save(s, path), 0);
	holdfast_stream_free(s);
	cr_assert_eq(holdfast_stream_load(&s, path, 0, text), 0, "%s", text);
	walk(s);
	for (uint32_t i = 0; i < 100; i++)
		cr_assert_eq((uintptr_t)holdfast_stream_frame(s, i) % 8, 0);
	holdfast_stream_free(s);
	unlink(path);
}
