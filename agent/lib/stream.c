// SPDX-License-Identifier: GPL-2.0
/*
 * Stream files: frames as they go to the array, with a checksum
 * (docs/stream-format.md). A stream in memory is always whole and checked:
 * there is no way to get a handle for half of one. CSV is in csv.c.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "internal.h"

#define HF_STREAM_VERSION	1

/* As in the file, little-endian. */
struct hf_stream_header {
	char magic[4];		/* "HFS1" */
	uint16_t version;
	uint16_t header_size;
	uint32_t channels;
	uint32_t frames;
	uint64_t interval_ns;
	uint64_t payload_size;
	uint32_t payload_crc;
	uint8_t reserved[24];
	uint32_t header_crc;	/* of all before it */
};

_Static_assert(sizeof(struct hf_stream_header) == 64, "file format");

struct holdfast_stream {
	uint32_t channels;
	uint32_t frames;
	uint64_t interval_ns;
	size_t size;		/* bytes of all frames, as in a file */
	size_t used, room;	/* bytes of data */
	size_t index_room;
	unsigned char *data;	/* frames, each at a multiple of 8 */
	size_t *offset;		/* of each frame in data */
};

static size_t aligned(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

#define HF_HEADER_CRC_LEN	offsetof(struct hf_stream_header, header_crc)

static uint32_t crc_of(const void *p, size_t len)
{
	return (uint32_t)crc32_z(0, p, len);
}

static bool interval_ok(uint64_t ns)
{
	return !ns || (ns >= 1000 && ns <= 10000000000ULL);
}

int holdfast_stream_new(struct holdfast_stream **out, uint32_t channels, uint64_t interval_ns)
{
	struct holdfast_stream *s;

	if (!channels || channels > HOLDFAST_MAX_CHANNELS || !interval_ok(interval_ns))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->channels = channels;
	s->interval_ns = interval_ns;
	*out = s;
	return 0;
}

void holdfast_stream_free(struct holdfast_stream *s)
{
	if (!s)
		return;
	free(s->data);
	free(s->offset);
	free(s);
}

static int grow(void **p, size_t *room, size_t want, size_t unit)
{
	size_t n = *room ? *room : 64;
	void *q;

	if (want <= *room)
		return 0;
	while (n < want)
		n *= 2;
	q = realloc(*p, n * unit);
	if (!q)
		return -ENOMEM;
	*p = q;
	*room = n;
	return 0;
}

/* Room for one more frame of @size bytes. */
static int make_room(struct holdfast_stream *s, size_t size)
{
	int ret;

	if (s->frames >= HOLDFAST_STREAM_MAX_FRAMES || s->size + size > HOLDFAST_STREAM_MAX_BYTES)
		return -EFBIG;
	ret = grow((void **)&s->data, &s->room, s->used + aligned(size), 1);
	if (!ret)
		ret = grow((void **)&s->offset, &s->index_room, s->frames + 1, sizeof(*s->offset));
	return ret;
}

/* The frame of @size bytes at the end of data is complete. */
static void frame_done(struct holdfast_stream *s, size_t size)
{
	s->offset[s->frames++] = s->used;
	s->size += size;
	s->used += aligned(size);
}

int holdfast_stream_append(struct holdfast_stream *s, const uint16_t *phase, const uint16_t *amp,
			   const struct holdfast_focus *foci, uint32_t nfoci)
{
	size_t size = holdfast_frame_size(s->channels, nfoci);
	int ret;

	if (nfoci > HOLDFAST_MAX_FOCI)
		return -EINVAL;
	ret = make_room(s, size);
	if (ret)
		return ret;
	ret = holdfast_frame_fill(s->data + s->used, size, s->channels, phase, amp, foci, nfoci, 0,
				  s->frames);
	if (ret < 0)
		return ret;
	frame_done(s, size);
	return 0;
}

/* Frame @i of a file, at @p with @left bytes. Returns its size, or -EINVAL. */
static int frame_check(const unsigned char *p, size_t left, uint32_t i, uint32_t channels,
		       char *text)
{
	struct holdfast_frame f;

	if (left < sizeof(f))
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": %zu bytes where its header needs %zu",
			      i, left, sizeof(f));
	memcpy(&f, p, sizeof(f));
	if (f.magic != HOLDFAST_FRAME_MAGIC)
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": magic 0x%08x where 0x%08x is required",
			      i, f.magic, HOLDFAST_FRAME_MAGIC);
	if (f.channels != channels)
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": %u channels where the stream has %u",
			      i, f.channels, channels);
	if (f.foci > HOLDFAST_MAX_FOCI)
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": %u foci where %u are allowed", i,
			      f.foci, HOLDFAST_MAX_FOCI);
	if (f.size != holdfast_frame_size(f.channels, f.foci))
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": size %" PRIu32 " where %zu is required",
			      i, f.size, holdfast_frame_size(f.channels, f.foci));
	if (f.size > left)
		return hf_say(text, -EINVAL, "frame %" PRIu32 ": %zu bytes where it has %" PRIu32,
			      i, left, f.size);
	if (f.flags || f.present_ns)
		return hf_say(text, -EINVAL,
			      "frame %" PRIu32 ": flags and presentation time must be 0", i);
	for (uint32_t j = 0; j < f.foci; j++) {
		struct holdfast_focus focus;

		memcpy(&focus, p + holdfast_frame_size(f.channels, j), sizeof(focus));
		if (focus.amp || focus.phase)
			return hf_say(text, -EINVAL, "frame %" PRIu32 ": amp and phase of focus %u must be 0",
				      i, j);
	}
	return (int)f.size;
}

static int header_check(const struct hf_stream_header *h, size_t len, char *text)
{
	static const uint8_t zero[sizeof(h->reserved)];

	if (memcmp(h->magic, "HFS1", 4))
		return hf_say(text, -EINVAL, "not a stream file: it does not begin with HFS1");
	if (crc_of(h, HF_HEADER_CRC_LEN) != le32toh(h->header_crc))
		return hf_say(text, -EINVAL, "header: checksum 0x%08x where 0x%08x is stated",
			      crc_of(h, HF_HEADER_CRC_LEN), le32toh(h->header_crc));
	if (le16toh(h->version) != HF_STREAM_VERSION)
		return hf_say(text, -EINVAL, "header: version %u where %u is known",
			      le16toh(h->version), HF_STREAM_VERSION);
	if (le16toh(h->header_size) != sizeof(*h))
		return hf_say(text, -EINVAL, "header: size %u where %zu is required",
			      le16toh(h->header_size), sizeof(*h));
	if (memcmp(h->reserved, zero, sizeof(zero)))
		return hf_say(text, -EINVAL, "header: reserved bytes must be 0");
	if (!h->channels || le32toh(h->channels) > HOLDFAST_MAX_CHANNELS)
		return hf_say(text, -EINVAL, "header: %" PRIu32 " channels where 1..%u are allowed",
			      le32toh(h->channels), HOLDFAST_MAX_CHANNELS);
	if (!h->frames || le32toh(h->frames) > HOLDFAST_STREAM_MAX_FRAMES)
		return hf_say(text, -EINVAL, "header: %" PRIu32 " frames where 1..%u are allowed",
			      le32toh(h->frames), HOLDFAST_STREAM_MAX_FRAMES);
	if (!interval_ok(le64toh(h->interval_ns)))
		return hf_say(text, -EINVAL,
			      "header: frame interval %" PRIu64 " ns where 0 or 1000..10^10 is allowed",
			      le64toh(h->interval_ns));
	if (le64toh(h->payload_size) != len - sizeof(*h))
		return hf_say(text, -EINVAL, "%zu bytes of frames where the header states %" PRIu64,
			      len - sizeof(*h), le64toh(h->payload_size));
	return 0;
}

static int frames_load(struct holdfast_stream *s, const unsigned char *p, size_t len,
		       uint32_t frames, char *text)
{
	for (uint32_t i = 0; i < frames; i++) {
		int ret = frame_check(p, len, i, s->channels, text);
		struct holdfast_frame *f;
		int size = ret;

		if (ret < 0)
			return ret;
		ret = make_room(s, (size_t)size);
		if (ret)
			return hf_say(text, ret, "frame %" PRIu32 ": %s", i, strerror(-ret));
		memcpy(s->data + s->used, p, (size_t)size);
		f = (struct holdfast_frame *)(s->data + s->used);
		f->cookie = i;
		frame_done(s, (size_t)size);
		p += size;
		len -= (size_t)size;
	}
	if (len)
		return hf_say(text, -EINVAL, "%zu bytes after the last of %" PRIu32 " frames", len,
			      frames);
	return 0;
}

int holdfast_stream_parse(struct holdfast_stream **out, const void *data, size_t len, char *text)
{
	const unsigned char *p = data;
	struct hf_stream_header h;
	struct holdfast_stream *s;
	int ret;

	if (len < sizeof(h))
		return hf_say(text, -EINVAL, "%zu bytes where the header alone has %zu", len,
			      sizeof(h));
	if (len > HOLDFAST_STREAM_MAX_BYTES + sizeof(h))
		return hf_say(text, -EFBIG, "%zu bytes where %llu are allowed", len,
			      HOLDFAST_STREAM_MAX_BYTES);
	memcpy(&h, p, sizeof(h));
	ret = header_check(&h, len, text);
	if (ret)
		return ret;
	if (crc_of(p + sizeof(h), len - sizeof(h)) != le32toh(h.payload_crc))
		return hf_say(text, -EINVAL, "frames: checksum 0x%08x where 0x%08x is stated",
			      crc_of(p + sizeof(h), len - sizeof(h)), le32toh(h.payload_crc));
	ret = holdfast_stream_new(&s, le32toh(h.channels), le64toh(h.interval_ns));
	if (ret)
		return hf_say(text, ret, "%s", strerror(-ret));
	ret = frames_load(s, p + sizeof(h), len - sizeof(h), le32toh(h.frames), text);
	if (ret) {
		holdfast_stream_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

/* The whole file, with a NUL behind it. What was checked is what will be sent. */
static int read_file(const char *path, char **data, size_t *len, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	size_t got = 0;
	int ret = 0;

	if (fd < 0)
		return hf_say(text, -errno, "%s", strerror(errno));
	if (fstat(fd, &st))
		ret = hf_say(text, -errno, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		ret = hf_say(text, -EINVAL, "not a regular file");
	else if ((uint64_t)st.st_size > HOLDFAST_STREAM_MAX_BYTES + sizeof(struct hf_stream_header))
		ret = hf_say(text, -EFBIG, "%jd bytes where %llu are allowed",
			     (intmax_t)st.st_size, HOLDFAST_STREAM_MAX_BYTES);
	if (!ret) {
		p = malloc((size_t)st.st_size + 1);
		if (!p)
			ret = hf_say(text, -ENOMEM, "no memory for %jd bytes",
				     (intmax_t)st.st_size);
	}
	while (!ret && got < (size_t)st.st_size) {
		ssize_t n = read(fd, p + got, (size_t)st.st_size - got);

		if (n > 0)
			got += (size_t)n;
		else if (!n)
			break;
		else if (errno != EINTR)
			ret = hf_say(text, -errno, "%s", strerror(errno));
	}
	close(fd);
	if (ret) {
		free(p);
		return ret;
	}
	p[got] = '\0';
	*data = p;
	*len = got;
	return 0;
}

int holdfast_stream_load(struct holdfast_stream **out, const char *path, uint16_t amp, char *text)
{
	char *data = NULL;
	size_t len = 0;
	int ret = read_file(path, &data, &len, text);

	if (ret)
		return ret;
	if (len >= 4 && !memcmp(data, "HFS1", 4))
		ret = holdfast_stream_parse(out, data, len, text);
	else
		ret = holdfast_stream_parse_csv(out, data, len, amp, text);
	free(data);
	return ret;
}

static int write_all(int fd, const void *p, size_t len)
{
	const char *c = p;

	while (len) {
		ssize_t n = write(fd, c, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			c += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void header_fill(const struct holdfast_stream *s, struct hf_stream_header *h)
{
	uint32_t crc = crc_of(NULL, 0);

	*h = (struct hf_stream_header){
		.magic = { 'H', 'F', 'S', '1' },
		.version = htole16(HF_STREAM_VERSION),
		.header_size = htole16(sizeof(*h)),
		.channels = htole32(s->channels),
		.frames = htole32(s->frames),
		.interval_ns = htole64(s->interval_ns),
		.payload_size = htole64(s->size),
	};
	for (uint32_t i = 0; i < s->frames; i++) {
		const struct holdfast_frame *f = holdfast_stream_frame(s, i);

		crc = (uint32_t)crc32_z(crc, (const void *)f, f->size);
	}
	h->payload_crc = htole32(crc);
	h->header_crc = htole32(crc_of(h, HF_HEADER_CRC_LEN));
}

static int write_file(const struct holdfast_stream *s, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct hf_stream_header h;
	int ret;

	if (fd < 0)
		return -errno;
	header_fill(s, &h);
	ret = write_all(fd, &h, sizeof(h));
	for (uint32_t i = 0; i < s->frames && !ret; i++) {
		const struct holdfast_frame *f = holdfast_stream_frame(s, i);

		ret = write_all(fd, f, f->size);
	}
	if (!ret && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	return ret;
}

int holdfast_stream_save(const struct holdfast_stream *s, const char *path)
{
	char *tmp;
	int ret;

	if (!s->frames)
		return -EINVAL;
	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	ret = write_file(s, tmp);
	if (!ret && rename(tmp, path))
		ret = -errno;
	if (ret)
		unlink(tmp);
	free(tmp);
	return ret;
}

uint32_t holdfast_stream_channels(const struct holdfast_stream *s)
{
	return s->channels;
}

uint32_t holdfast_stream_frames(const struct holdfast_stream *s)
{
	return s->frames;
}

uint64_t holdfast_stream_interval_ns(const struct holdfast_stream *s)
{
	return s->interval_ns;
}

const struct holdfast_frame *holdfast_stream_frame(const struct holdfast_stream *s, uint32_t i)
{
	return (const struct holdfast_frame *)(s->data + s->offset[i]);
}
