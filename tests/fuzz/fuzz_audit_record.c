/* links: audit/verify */
// SPDX-License-Identifier: GPL-2.0
/*
 * What the verifier reads out of a record: JSON that somebody else wrote, and
 * signed notes. Whatever is canonical must be found again member by member.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void members(struct vfy_span object)
{
	struct vfy_span value, element;
	uint64_t n;

	if (vfy_json_get(object, "detail", &value)) {
		if (!vfy_json_canonical(value))
			abort();
		if (vfy_json_get(value, "peaks", &value))
			while (vfy_json_next(&value, &element))
				if (!vfy_json_canonical(element))
					abort();
	}
	if (vfy_json_get(object, "seq", &value))
		vfy_json_u64(value, &n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of exactly this size, so that the sanitizer sees a read behind it */
	char *copy = malloc(size ? size : 1);
	struct vfy_span text = { copy, size };
	struct vfy_points points = { NULL, 0 };
	struct vfy_key keys[2];
	size_t at;
	int n;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (vfy_json_canonical(text))
		members(text);
	n = vfy_keys_parse(copy, size, keys, 2);
	vfy_points_parse(keys, n > 0 ? n : 0, copy, size, &points, &at);
	if (points.n)
		abort();	/* nobody has signed anything */
	free(points.p);
	free(copy);
	return 0;
}
