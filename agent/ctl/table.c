// SPDX-License-Identifier: GPL-2.0
/*
 * Results of the agent for people: tables and lists. What comes over the
 * network is printed without control characters.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "op.h"

#define COLUMNS		12
#define CELL		160	/* bytes of one cell */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static void escape(const char *text, char *buf, size_t len)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p && n + 5 < len; p++) {
		/* C1 controls are 0xc2 0x80..0x9f in UTF-8 */
		bool control = *p < 32 || *p == 127 || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);

		if (control)
			n += (size_t)snprintf(buf + n, len - n, "\\x%02x", *p);
		else
			buf[n++] = (char)*p;
	}
	buf[n] = '\0';
}

void ctl_put_text(const char *text)
{
	char plain[4 * 1024];

	escape(text, plain, sizeof(plain));
	fputs(plain, stdout);
}

static void cell(const char *name, const json_t *v, char *buf, size_t len)
{
	char *text;

	if (!v || json_is_null(v) || (json_is_string(v) && !json_string_length(v))) {
		snprintf(buf, len, "-");
	} else if (json_is_string(v)) {
		escape(json_string_value(v), buf, len);
	} else if (json_is_integer(v) && ends_with(name, "_ns") && json_integer_value(v) > 0) {
		ctl_time((uint64_t)json_integer_value(v), buf, len);
	} else if (json_is_integer(v)) {
		snprintf(buf, len, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	} else if (json_is_boolean(v)) {
		snprintf(buf, len, "%s", json_is_true(v) ? "yes" : "no");
	} else {
		text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
		escape(text ? text : "", buf, len);
		free(text);
	}
}

/* "actor.name": member of a member. */
static const json_t *member(const json_t *row, const char *path)
{
	for (;;) {
		size_t n = strcspn(path, ".");

		row = json_object_getn(row, path, n);
		if (!row || !path[n])
			return row;
		path += n + 1;
	}
}

static size_t split(const char *columns, char names[COLUMNS][32])
{
	size_t n = 0;

	while (n < COLUMNS && sscanf(columns, " %31s", names[n]) == 1) {
		columns = strstr(columns, names[n]) + strlen(names[n]);
		n++;
	}
	return n;
}

/* Columns of characters, not of bytes. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void put(const char *text, size_t width, bool last)
{
	size_t w = width_of(text);

	fputs(text, stdout);
	for (; !last && w < width + 2; w++)
		putchar(' ');
	if (last)
		putchar('\n');
}

void ctl_table(const json_t *rows, const char *columns, bool head)
{
	char names[COLUMNS][32], text[CELL];
	size_t width[COLUMNS] = { 0 }, n = split(columns, names), i;
	const json_t *row;

	json_array_foreach((json_t *)rows, i, row)
		for (size_t k = 0; k < n; k++) {
			cell(names[k], member(row, names[k]), text, sizeof(text));
			if (width_of(text) > width[k])
				width[k] = width_of(text);
		}
	for (size_t k = 0; head && k < n; k++) {
		if (width_of(names[k]) > width[k])
			width[k] = width_of(names[k]);
		put(names[k], width[k], k == n - 1);
	}
	json_array_foreach((json_t *)rows, i, row)
		for (size_t k = 0; k < n; k++) {
			cell(names[k], member(row, names[k]), text, sizeof(text));
			put(text, width[k], k == n - 1);
		}
}

static void members(const json_t *obj, const char *prefix, unsigned int depth)
{
	char name[96], text[CELL * 4];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)obj, key, v) {
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		if (json_is_object(v) && depth < 4) {
			size_t n = strlen(name);

			snprintf(name + n, sizeof(name) - n, ".");
			members(v, name, depth + 1);
			continue;
		}
		cell(key, v, text, sizeof(text));
		printf("%-24s %s\n", name, text);
	}
}

int ctl_show(struct ctl *c, const char *show, json_t *result)
{
	const char *colon = show ? strchr(show, ':') : NULL;
	const json_t *rows;

	if (c->json)
		return ctl_json_print(result, true);
	rows = colon ? json_object_getn(result, show, (size_t)(colon - show)) : NULL;
	if (json_is_array(rows)) {
		ctl_table(rows, colon + 1, true);
	} else if (show && show[0] == '=') {
		const char *text = json_string_value(json_object_get(result, show + 1));

		if (text)
			puts(text);
	} else {
		members(result, "", 0);
	}
	json_decref(result);
	return CTL_OK;
}
