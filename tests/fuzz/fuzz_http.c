/* links: front common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * From an HTTP request to an operation and its arguments, without the HTTP
 * library: a line "METHOD TARGET", lines of headers, an empty line, the body.
 * What is accepted must be exactly what the table of operations allows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "front/headers.h"
#include "front/router.h"

#define INPUT_MAX	32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hf_site site = {
	.body_max = 57344, .hosts = { "localhost", "127.0.0.1", "[::1]", NULL }
};

/* Cuts @s at the next @sep. Return: what is behind it, NULL: nothing. */
static char *cut(char *s, const char *sep)
{
	char *at = s ? strstr(s, sep) : NULL;

	if (!at)
		return NULL;
	*at = '\0';
	return at + strlen(sep);
}

static int headers_read(struct hf_headers *h, char *lines, struct hf_refusal *no)
{
	while (lines && *lines) {
		char *next = cut(lines, "\n");
		char *value = cut(lines, ": ");

		if (hf_headers_add(h, lines, strlen(lines), value ? value : "", value ? strlen(value) : 0, no))
			return -1;
		lines = next;
	}
	return 0;
}

static void refused(const struct hf_refusal *no)
{
	if (no->status < 400 || no->status > 599 || !no->code[0] || !no->text[0])
		abort();
}

static void headers_judge(const struct hf_headers *h, const struct hf_cred *cred, uint64_t body)
{
	if (!h->value[HF_H_HOST] || h->value[HF_H_TRANSFER_ENCODING] || body > site.body_max)
		abort();
	if ((cred->kind == HF_CRED_NONE) != !cred->secret[0])
		abort();
	if (cred->kind == HF_CRED_COOKIE && h->value[HF_H_AUTHORIZATION])
		abort();
}

static void route_judge(const struct hf_route *r, const char *method)
{
	struct hf_err e;

	if (hf_op_find(r->op->name) != r->op || hf_field_check(r->op->args, r->args, NULL, &e))
		abort();
	if (strcmp(method, r->op->method) && strcmp(method, "HEAD"))
		abort();
}

static void request(char *text, const char *body, size_t body_len)
{
	char *headers = cut(text, "\n");
	char *target = cut(text, " ");
	struct hf_headers h = { .count = 0 };
	struct hf_refusal no = { .status = 0 };
	struct hf_cred cred = { .kind = HF_CRED_NONE };
	struct hf_route r;
	uint64_t expected;

	if (!target)
		return;
	if (headers_read(&h, headers, &no) || hf_headers_check(&h, &site, HF_ASK_CHANGE, &expected, &cred, &no))
		refused(&no);
	else
		headers_judge(&h, &cred, expected);
	if (hf_route_find(text, target, &r, &no)) {
		refused(&no);
		return;
	}
	if (r.page == HF_PAGE_OP) {
		if (hf_route_body(&r, body, body_len, &no))
			refused(&no);
		else
			route_judge(&r, text);
	}
	hf_route_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *body;

	if (size > INPUT_MAX)
		return 0;
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	body = cut(text, "\n\n");
	request(text, body ? body : "", body ? size - (size_t)(body - text) : 0);
	free(text);
	return 0;
}
