// SPDX-License-Identifier: GPL-2.0
/* A stop as it comes from the bus. */
#include <jansson.h>

#include "stop.h"

struct fleet_stop fleet_stop_read(const char *data, size_t len)
{
	struct fleet_stop s = { .latch = false };
	json_t *j = data && len <= FLEET_STOP_BYTES ? json_loadb(data, len, 0, NULL) : NULL;
	const char *id = json_string_value(json_object_get(j, "id"));

	s.latch = json_is_true(json_object_get(j, "latch"));
	if (!id || hf_corr_parse(id, &s.corr))
		s.corr = (struct hf_corr){ 0 };
	json_decref(j);
	return s;
}
