/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Just enough JSON to judge a record: canonical form, members by name. Borrows
 * the bytes it is given, allocates nothing.
 */
#ifndef HF_VERIFY_JSON_H
#define HF_VERIFY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfy_span {
	const char *p;
	size_t n;
};

/* One value in canonical form (docs/audit-format.md) and nothing behind it. */
bool vfy_json_canonical(struct vfy_span text);
/* The value of @key in the object @object, which is canonical. */
bool vfy_json_get(struct vfy_span object, const char *key, struct vfy_span *value);
/* Elements of an array one by one: *@rest is the array at first. */
bool vfy_json_next(struct vfy_span *rest, struct vfy_span *value);
bool vfy_json_u64(struct vfy_span value, uint64_t *out);
/* A string without escapes, of @n bytes without the quotes. */
bool vfy_json_is(struct vfy_span value, const char *text);

#endif /* HF_VERIFY_JSON_H */
