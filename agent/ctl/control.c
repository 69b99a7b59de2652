// SPDX-License-Identifier: GPL-2.0
/*
 * arm, silence, reset, self-test. Silencing goes straight to the driver and
 * needs nobody's consent; arming and resetting go through the agent where there
 * is one, else they need a lease from the keeper.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "client.h"

const struct ctl_option silence_options[] = {
	{ "latch", 'l', NULL, "trip instead: silent until someone entitled resets it" },
	{ NULL, 0, NULL, NULL },
};

const struct ctl_option act_options[] = {
	{ "comment", 257, "TEXT", "why, for the agent's record" },
	{ NULL, 0, NULL, NULL },
};

/* Says what the array is now. @comment: NULL: none */
static int act_by_agent(struct ctl *c, const char *op, const char *comment)
{
	json_t *args, *result = NULL;
	const char *state;
	int64_t array;
	int ret = ctl_agent_array(c, &array);

	if (ret)
		return ret;
	args = json_pack("{s:I}", "array", (json_int_t)array);
	if (comment && json_object_set_new(args, "comment", json_string(comment))) {
		json_decref(args);
		return ctl_usage(c, "the comment must be UTF-8");
	}
	ret = ctl_call(c, op, args, &result);
	if (ret)
		return ret;
	if (c->json)
		return ctl_json_print(result, true);
	state = json_string_value(json_object_get(result, "state"));
	if (json_is_true(json_object_get(result, "pending")))
		puts("a second person must ask for the same");
	else if (state)
		puts(state);
	json_decref(result);
	return CTL_OK;
}

/* A lease for one deliberate act. */
static int act_by_lease(struct ctl *c, uint32_t right, const char *what,
	       int (*fn)(struct holdfast_array *a, struct holdfast_reason *r))
{
	struct holdfast_reason r = { 0 };
	struct holdfast_array *a, *lease;
	struct holdfast_info info;
	int ret = ctl_open(c, &a, 0);

	if (ret)
		return ret;
	ret = holdfast_info(a, &info);
	holdfast_close(a);
	if (ret)
		return ctl_fail(ret, "array");
	ret = ctl_lease(c, &lease, info.index, right);
	if (ret)
		return ret;
	ret = fn(lease, &r);
	if (ret == -ETIME)
		ret = ctl_fail(ret, "%s: the keeper does not beat or has events to handle", what);
	else if (ret == -EAGAIN)
		ret = ctl_fail(ret, "%s: the dwell time after the trip is not over", what);
	else if (ret == -EBUSY)
		ret = ctl_fail(ret, "%s: the array is not in the state for it", what);
	else if (ret)
		ret = ctl_fail_reason(ret, &r, what);
	holdfast_close(lease);
	return ret;
}

int act_read(struct ctl *c, int argc, char **argv)
{
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key != 257)
			return ctl_option_exit(c);
		c->req.comment = optarg;
	}
	return ctl_no_more(c, argc, argv);
}

static int act(struct ctl *c, const char *op, uint32_t right,
	       int (*fn)(struct holdfast_array *a, struct holdfast_reason *r))
{
	/* A keeper named on the line is meant, whatever else there is. */
	if (!c->socket && ctl_agent_there(c))
		return act_by_agent(c, op, c->req.comment);
	return act_by_lease(c, right, c->command->name, fn);
}

int cmd_arm(struct ctl *c)
{
	return act(c, "array.arm", HOLDFAST_RIGHT_ARM, holdfast_arm);
}

int cmd_reset(struct ctl *c)
{
	return act(c, "array.reset", HOLDFAST_RIGHT_RESET, holdfast_reset);
}

static int silence_by_agent(struct ctl *c, bool latch)
{
	int64_t array;
	int ret = ctl_agent_array(c, &array);

	return ret ? ret : ctl_call(c, "array.silence", json_pack("{s:I, s:b}", "array",
								  (json_int_t)array, "latch", latch), NULL);
}

int silence_read(struct ctl *c, int argc, char **argv)
{
	int key;

	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		if (key != 'l')
			return ctl_option_exit(c);
		c->req.latch = true;
	}
	/* Whatever else is on the line: who says silence gets it. */
	return -1;
}

int cmd_silence(struct ctl *c)
{
	bool latch = c->req.latch;
	struct holdfast_array *a;
	int ret;

	if (c->agent)
		return silence_by_agent(c, latch);
	/* The device first: silence must not depend on the agent. */
	ret = holdfast_open(&a, c->device, 0);
	if (!ret) {
		ret = holdfast_silence(a, latch ? HOLDFAST_SILENCE_LATCH : 0);
		holdfast_close(a);
	}
	if (ret && ctl_agent_there(c))
		return silence_by_agent(c, latch);
	return ret ? ctl_fail(ret, "%s", c->device ? c->device : "array") : CTL_OK;
}

static const char *const test_parts[] = { "rules", "silence", "sensors", "hardware", "timer" };

#define TEST_PARTS	(sizeof(test_parts) / sizeof(test_parts[0]))

static int self_test_json(const struct holdfast_self_test *t)
{
	json_t *parts = json_object();

	for (size_t i = 0; i < TEST_PARTS; i++) {
		const char *word = t->failed & (1U << i) ? "failed" :
				   t->run & (1U << i)	 ? "passed" :
							   "not run";

		json_object_set_new(parts, test_parts[i], json_string(word));
	}
	return ctl_json_print(json_pack("{s:b, s:o, s:o}", "passed", t->failed == 0, "parts",
					parts, "reason", ctl_json_reason(&t->reason)),
			      true);
}

static void self_test_text(const struct holdfast_self_test *t)
{
	char text[HOLDFAST_TEXT_LEN];

	for (size_t i = 0; i < TEST_PARTS; i++)
		if (t->run & (1U << i))
			printf("%-9s %s\n", test_parts[i],
			       t->failed & (1U << i) ? "FAILED" : "passed");
	if (t->failed && t->reason.limit != HOLDFAST_LIM_NONE)
		printf("%s\n", holdfast_strerror_reason(&t->reason, text, sizeof(text)));
}

int cmd_self_test(struct ctl *c)
{
	struct holdfast_self_test t;
	struct holdfast_array *a;
	int ret = ctl_open(c, &a, HOLDFAST_OPEN_WRITE);

	if (ret)
		return ret;
	ret = holdfast_self_test(a, &t);
	holdfast_close(a);
	if (ret == -EBUSY)
		return ctl_fail(ret, "self-test: only while silent or tripped");
	if (ret)
		return ctl_fail(ret, "self-test");
	if (!c->json)
		self_test_text(&t);
	else if (self_test_json(&t))
		return CTL_FAILED;
	return t.failed ? CTL_FAILED : CTL_OK;
}
