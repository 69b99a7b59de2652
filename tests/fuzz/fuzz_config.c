/* links: common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration's reader. What it accepts, printed and read again, must be
 * the same, and every process's part must fit into a message.
 */
#include <stdint.h>
#include <stdlib.h>

#include "config.h"
#include "msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hf_config_errors errors;

static void accepted(struct hf_config *c)
{
	struct hf_config *again;
	json_t *diff;
	char *text;
	size_t len;

	if (hf_config_print(c, &text, &len) ||
	    hf_config_parse(text, len, "printed", NULL, &again, &errors))
		abort();
	diff = hf_config_diff(c, again);
	if (json_array_size(diff))
		abort();
	for (enum hf_proc p = HF_PROC_PARENT + 1; p < HF_PROCS; p++) {
		json_t *part = hf_config_part(c, p);

		if (json_dumpb(part, NULL, 0, JSON_COMPACT) > HF_MSG_MAX)
			abort();
		json_decref(part);
	}
	json_decref(diff);
	free(text);
	hf_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_config *c;

	if (hf_config_parse((const char *)data, size, "fuzz", NULL, &c, &errors)) {
		if (!errors.count)
			abort();
		json_decref(hf_config_errors_json(&errors));
		return 0;
	}
	accepted(c);
	hf_config_free(c);
	return 0;
}
