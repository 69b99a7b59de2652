// SPDX-License-Identifier: GPL-2.0
/*
 * The table of operations against tests/agent/matrix.txt, which people review:
 * each operation x role x way in x stepped up or not x remote arming or not. A
 * change of a right has to be made in both.
 */
#include <stdio.h>

#include "check.h"
#include "ops.h"

#define ROLES	5

struct line {
	char op[64], method[8], path[96], right[ROLES][8], from[8];
};

static struct line lines[128];
static size_t count;

static void read_matrix(void)
{
	const char *path = getenv("HOLDFAST_MATRIX");
	FILE *f = fopen(path ? path : "tests/agent/matrix.txt", "r");
	char text[256];

	cr_assert_not_null(f, "matrix.txt: run from the top of the tree");
	while (fgets(text, sizeof(text), f)) {
		struct line *l = &lines[count];

		if (text[0] == '#' || text[0] == '\n')
			continue;
		cr_assert_lt(count, sizeof(lines) / sizeof(lines[0]));
		cr_assert_eq(sscanf(text, "%63s %7s %95s %7s %7s %7s %7s %7s %7s", l->op, l->method, l->path,
				    l->right[0], l->right[1], l->right[2], l->right[3], l->right[4], l->from), 9,
			     "%s", text);
		count++;
	}
	fclose(f);
}

static bool expected(const struct line *l, int role, const struct hf_actor *a, bool remote_arming)
{
	bool remote = a->via == HF_VIA_NETWORK;

	if (!strcmp(l->right[role], "-") || (!strcmp(l->right[role], "s") && !a->stepped_up))
		return false;
	if (!strcmp(l->from, "local"))
		return !remote;
	if (!strcmp(l->from, "arm"))
		return !remote || remote_arming;
	return true;
}

TestSuite(matrix, .init = read_matrix);

Test(matrix, every_operation_is_in_it_once)
{
	size_t ops = 0;

	for (const struct hf_op *op = hf_ops; op->name; op++, ops++) {
		size_t found = 0;

		for (size_t i = 0; i < count; i++)
			if (!strcmp(lines[i].op, op->name)) {
				found++;
				cr_expect_str_eq(lines[i].method, op->method, "%s", op->name);
				cr_expect_str_eq(lines[i].path, op->path, "%s", op->name);
			}
		cr_expect_eq(found, 1, "%s: %zu lines", op->name, found);
	}
	cr_assert_eq(ops, count);
}

Test(matrix, decisions_are_as_it_says)
{
	unsigned int decisions = 0, allowed = 0;

	for (size_t i = 0; i < count; i++)
		for (int bits = 0; bits < ROLES * 2 * 2 * 2; bits++) {
			int role = bits / 8;
			struct hf_actor a = {
				.role = (enum hf_role)(1 << role),
				.via = bits & 1 ? HF_VIA_NETWORK : HF_VIA_LOCAL,
				.stepped_up = bits & 2,
			};
			const struct hf_op *op = hf_op_find(lines[i].op);
			bool arming = bits & 4, want = expected(&lines[i], role, &a, arming);
			enum hf_denial d;

			cr_assert_not_null(op, "%s", lines[i].op);
			d = hf_op_authorise(op, &a, arming);
			cr_expect_eq(d == HF_ALLOWED, want, "%s as %s, %s, %s, remote arming %s: %s", op->name,
				     hf_role_name(a.role), bits & 1 ? "network" : "local",
				     a.stepped_up ? "stepped up" : "not stepped up", arming ? "on" : "off",
				     hf_denial_code(d));
			decisions++;
			allowed += d == HF_ALLOWED;
		}
	cr_assert_eq(decisions, count * 40);
	cr_assert(allowed > 0 && allowed < decisions);
}

/* The network can only make an array quieter, unless the configuration says otherwise. */
Test(matrix, what_raises_output_is_marked)
{
	static const char *const raises[] = { "array.arm", "array.reset", "tenant.reset_quota" };

	for (const struct hf_op *op = hf_ops; op->name; op++) {
		bool want = false;

		for (size_t i = 0; i < sizeof(raises) / sizeof(raises[0]); i++)
			want = want || !strcmp(op->name, raises[i]);
		cr_expect_eq(!!(op->flags & HF_OP_RAISES), want, "%s", op->name);
		if (want)
			cr_expect(op->flags & HF_OP_STEPUP && op->flags & HF_OP_PRIV, "%s", op->name);
		if (!strcmp(op->name, "silence") || !strcmp(op->name, "array.silence"))
			cr_expect(op->flags & HF_OP_QUIET && op->flags & HF_OP_FRESH &&
				  op->roles == HF_ROLE_ANYONE_KNOWN, "%s", op->name);
	}
}
