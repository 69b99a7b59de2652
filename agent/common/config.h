/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration: one table (config_schema.c) from which the reader, the
 * documents and the tests are made. Secrets never stand in a configuration,
 * only the names of files and of entries of the secret store.
 */
#ifndef HF_CONFIG_H
#define HF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "err.h"
#include "role.h"

#define HF_CONFIG_FILE		"/etc/holdfast/holdfast.yaml"
#define HF_CONFIG_BYTES_MAX	(256 * 1024)
#define HF_CONFIG_DEPTH_MAX	8
#define HF_CONFIG_NODES_MAX	4096
#define HF_CONFIG_ERRORS	50
#define HF_CONFIG_PATH		128	/* "tenants.3.limits.focal_pressure" and NUL */

/* ------------------------------------------------------------ the table */

enum hf_config_type {
	HF_C_MAP,	/* mapping of the keys in @sub */
	HF_C_LIST,	/* @min..@max mappings of @sub, or single values if @sub has no name */
	HF_C_INT,	/* decimal integer @min..@max */
	HF_C_BOOL,	/* true or false */
	HF_C_TEXT,	/* @min..@max bytes that match @pattern */
	HF_C_ENUM,	/* one of @words */
	HF_C_MATCH,	/* an array: index (integer), serial (text) or "*" */
};

/* When a change takes effect, from least to most strict. */
enum hf_config_reload {
	HF_RELOAD_LIVE,		/* at once, without restart */
	HF_RELOAD_RESTART,	/* when holdfastd is started the next time */
	HF_RELOAD_SEALED,	/* tightening at once; loosening needs a reboot once sealed */
};

#define HF_CF_REQUIRED	(1U << 0)	/* no default: must be stated */
#define HF_CF_OPTIONAL	(1U << 1)	/* no default: may be absent, and is then absent */
#define HF_CF_REPEATED	(1U << 2)	/* several keys share the table: documented once */
#define HF_CF_FLOOR	(1U << 3)	/* of a limit: larger is tighter */

/**
 * struct hf_config_key - one key
 * @name:	last word of its path; "" for the elements of a list of values; NULL ends a table
 * @unit:	"ms", or NULL
 * @min: @max:	of an integer; of a text's bytes; of a list's elements
 * @words:	HF_C_ENUM, ends with NULL
 * @pattern:	HF_C_TEXT: a regular expression that POSIX (extended) and JSON Schema read alike
 * @looks:	what @pattern means, in words: "an absolute path"
 * @def:	default as it would be written; of a list of values: separated by commas
 * @identity:	of a list of mappings: the members that tell its elements apart, ends with NULL
 * @reload:	the strictest of this and of the keys around it counts
 * @procs:	bits (1 << enum hf_proc) of those that get it; 0: as the key around it
 * @sub:	keys inside
 * @help:	one line, for people
 */
struct hf_config_key {
	const char *name;
	enum hf_config_type type;
	uint32_t flags;
	const char *unit;
	int64_t min, max;
	const char *const *words;
	const char *pattern;
	const char *looks;
	const char *def;
	const char *const *identity;
	enum hf_config_reload reload;
	uint32_t procs;
	const struct hf_config_key *sub;
	const char *help;
};

extern const struct hf_config_key hf_config_schema[];

/* The key called @name in @table, or NULL. */
const struct hf_config_key *hf_config_key_find(const struct hf_config_key *table, const char *name);
/* By path; a list's index may be any number: "tenants.0.name". NULL: there is none. */
const struct hf_config_key *hf_config_key_at(const char *path);
/* May it be set in the environment: a single value outside of lists? */
bool hf_config_key_env(const char *path, char *name, size_t len);

/* --------------------------------------------------------------- reading */

/* @line: @column: from 1; 0: not from the file. @path: "" if it is not about a key. */
struct hf_config_error {
	unsigned int line, column;
	char path[HF_CONFIG_PATH];
	char text[HF_ERR_LEN];	/* what is wrong, and what would be right */
};

struct hf_config_errors {
	unsigned int count;	/* in @e */
	unsigned int more;	/* that found no room */
	struct hf_config_error e[HF_CONFIG_ERRORS];
};

struct hf_config;

/**
 * hf_config_parse() - read and check a configuration whole
 * @text: @len:	YAML
 * @file:	its name for messages
 * @envp:	"NAME=value" strings that may override, ends with NULL; may be NULL
 * @out:	the configuration; NULL if there was an error. Free with hf_config_free()
 * @errors:	every error found, in the order of the file
 *
 * Reads no other file. Return: 0, -EINVAL (see @errors), -ENOMEM.
 */
int hf_config_parse(const char *text, size_t len, const char *file, char *const envp[],
		    struct hf_config **out, struct hf_config_errors *errors);
void hf_config_free(struct hf_config *c);
/* "holdfast.yaml:3:12: keeper.beat_ms: ..." Return: @buf. */
const char *hf_config_error_text(const struct hf_config_error *e, const char *file, char *buf,
				 size_t len);
/* { errors: [ { line, column, path, message } ], more }. NULL: out of memory. */
json_t *hf_config_errors_json(const struct hf_config_errors *errors);

/*
 * All values, defaults filled in; what is optional and not stated is absent.
 * New reference. NULL: out of memory.
 */
json_t *hf_config_json(const struct hf_config *c);
/* Only what process @p may know. New reference. NULL: out of memory. */
json_t *hf_config_part(const struct hf_config *c, enum hf_proc p);
/* "default", "holdfast.yaml:3:12" or "HOLDFAST_KEEPER__BEAT_MS". Never NULL. */
const char *hf_config_origin(const struct hf_config *c, const char *path);
/* The same as YAML that hf_config_parse() reads back to the same values; caller frees. */
int hf_config_print(const struct hf_config *c, char **text, size_t *len);

/**
 * hf_config_diff() - what is different
 *
 * Return: [ { path, old, new, reload: "live"|"restart"|"sealed", loosens } ]; @old or @new
 * is absent if there is no such value. Elements of lists are told apart by what
 * identifies them, "arrays[\"*\"].limits.amp_cap", not by where they stand. @loosens: true if
 * a limit or fence point of the site becomes looser. NULL: out of memory.
 */
json_t *hf_config_diff(const struct hf_config *old, const struct hf_config *new);
const char *hf_config_reload_name(enum hf_config_reload r);

/* ------------------------------------------------- values, in a process */

/*
 * By path within a part: "keeper.beat_ms". The part comes whole from the
 * parent, so a path that has no such value is a mistake in our own code:
 * abort(3). For optional keys, and within elements of lists: the _or forms.
 */
int64_t hf_config_int(const json_t *part, const char *path);
bool hf_config_bool(const json_t *part, const char *path);
const char *hf_config_text(const json_t *part, const char *path);
const json_t *hf_config_list(const json_t *part, const char *path);
const json_t *hf_config_get(const json_t *part, const char *path);	/* NULL: absent */
int64_t hf_config_int_or(const json_t *part, const char *path, int64_t otherwise);
const char *hf_config_text_or(const json_t *part, const char *path, const char *otherwise);
/* Does element @match (HF_C_MATCH) mean the array with this index and serial? */
bool hf_config_matches(const json_t *match, unsigned int index, const char *serial);

#endif /* HF_CONFIG_H */
