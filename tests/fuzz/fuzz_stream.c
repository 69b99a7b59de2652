/* links: lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * Stream files (.hfs) and CSV, as holdfastctl play reads them: as they come,
 * and with the checksums made right, to get behind them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "libholdfast.h"

/* Offsets in the header (docs/stream-format.md). */
#define AT_CRC		32
#define AT_HEADER_CRC	60
#define HEADER		64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void stream(const void *data, size_t size)
{
	struct holdfast_stream *s;
	char text[HOLDFAST_TEXT_LEN];

	if (holdfast_stream_parse(&s, data, size, text))
		return;
	for (uint32_t i = 0; i < holdfast_stream_frames(s); i++)
		if (holdfast_stream_frame(s, i)->channels != holdfast_stream_channels(s))
			abort();
	holdfast_stream_free(s);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct holdfast_stream *s;
	char text[HOLDFAST_TEXT_LEN];
	uint8_t *signed_copy;

	stream(data, size);
	if (size >= HEADER) {
		signed_copy = malloc(size);
		if (!signed_copy)
			return 0;
		memcpy(signed_copy, data, size);
		put32(signed_copy + AT_CRC,
		      (uint32_t)crc32(0, signed_copy + HEADER, (uInt)(size - HEADER)));
		put32(signed_copy + AT_HEADER_CRC, (uint32_t)crc32(0, signed_copy, AT_HEADER_CRC));
		stream(signed_copy, size);
		free(signed_copy);
	}
	if (!holdfast_stream_parse_csv(&s, (const char *)data, size, 65535, text))
		holdfast_stream_free(s);
	return 0;
}
