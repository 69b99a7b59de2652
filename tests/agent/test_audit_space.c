// SPDX-License-Identifier: GPL-2.0
/*
 * Retention where places outside keep checkpoints: what goes, what is held, and
 * the ladder of free space meanwhile. The verifier judges what is left.
 */
#include "audit_kit.h"

/* After two_days(): the current segment, and the one that went on until it began. */
#define STAY	2

static struct kit k;

static void setup(void)
{
	kit_new(&k);
	k.s.config.keep_bytes = 1;
	k.s.config.anchors = true;
}

static void teardown(void)
{
	kit_free(&k);
}

TestSuite(audit_space, .init = setup, .fini = teardown, .timeout = 60);

#define VERIFIED()								\
do {										\
	char verified_text[VFY_TEXT];						\
	enum vfy_code verified_code = kit_verify(&k, verified_text, NULL);	\
	cr_assert_eq(verified_code, VFY_OK, "%d: %s", verified_code, verified_text);	\
} while (0)

static size_t segments(void)
{
	size_t n;

	aud_segments(k.w, &n);
	return n;
}

/* Records of the chain up to the end of the @i-th segment that is there. */
static uint64_t end_of(size_t i)
{
	size_t n;
	const struct aud_segment *s = aud_segments(k.w, &n);

	cr_assert_lt(i + 1, n);
	return s[i + 1].seq0 - s[i].chain_seq0;
}

static void fill(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		kit_event(&k, NULL);
		aud_run(k.w);
	}
}

/* At least four segments. */
static void begin(void)
{
	cr_assert_eq(kit_start(&k), 0);
	fill(600);
	cr_assert_geq(segments(), 4);
}

/* All that is old enough and may go goes now. */
static void retention(void)
{
	hf_test_clock_advance(&k.clock, 61 * HF_S);
	aud_tick(k.w);
}

static void two_days(void)
{
	hf_test_clock_advance(&k.clock, 2 * 86400 * HF_S);
	fill(1);
	aud_tick(k.w);
	retention();
}

static const char *origin(struct aud_checkpoint *cp)
{
	const struct aud_note *n = aud_newest_note(k.w, cp);

	cr_assert_not_null(n);
	return n->origin;
}

static void anchored(uint64_t size)
{
	struct aud_checkpoint cp;

	aud_anchored(k.w, origin(&cp), size);
	retention();
}

static void anchored_all(void)
{
	struct aud_checkpoint cp;

	hf_test_clock_advance(&k.clock, HF_S);
	aud_tick(k.w);
	origin(&cp);
	anchored(cp.size);
}

static int64_t stat_of(const char *name)
{
	json_t *j = aud_stats(k.w);
	const json_t *v = json_object_get(j, name);
	int64_t n = json_is_true(v) ? 1 : json_integer_value(v);

	json_decref(j);
	return n;
}

Test(audit_space, only_what_a_place_outside_knows_goes)
{
	size_t before;

	begin();
	before = segments();
	two_days();
	cr_assert_eq(segments(), before + 1, "the age closed one, and none went");
	cr_assert_eq(kit_count(&k, "\"audit.pruned\""), 0);
	cr_assert_str_eq(k.last_event, "audit.held");
	cr_assert_eq(k.errors, 1);
	retention();
	cr_assert_eq(k.errors, 1, "said once");
	cr_assert_eq(stat_of("held"), 1);
	anchored(end_of(0) - 1);
	cr_assert_eq(segments(), before + 1, "its last record is not covered");
	anchored(end_of(0));
	cr_assert_eq(segments(), before);
	cr_assert_eq(kit_count(&k, "\"audit.pruned\""), 1);
	cr_assert_eq(stat_of("held"), 1);
	VERIFIED();
	anchored_all();
	cr_assert_eq(segments(), STAY);
	cr_assert_eq(stat_of("held"), 0);
	cr_assert_geq(stat_of("anchored_seq"), 600);
	VERIFIED();
}

Test(audit_space, an_older_word_takes_nothing_back)
{
	begin();
	two_days();
	aud_anchored(k.w, origin(&(struct aud_checkpoint){ 0 }), end_of(1));
	aud_anchored(k.w, origin(&(struct aud_checkpoint){ 0 }), 1);
	retention();
	cr_assert_eq(kit_count(&k, "\"audit.pruned\""), 1);
	cr_assert_eq(stat_of("anchored_seq"), (int64_t)aud_segments(k.w, &(size_t){ 0 })[0].seq0 - 1);
}

Test(audit_space, what_is_not_our_checkpoint_frees_nothing)
{
	struct aud_checkpoint cp;
	char other[AUD_ORIGIN];
	size_t before;

	begin();
	two_days();
	before = segments();
	strcpy(other, origin(&cp));
	other[strlen(other) - 1] ^= 1;
	aud_anchored(k.w, other, cp.size);
	aud_anchored(k.w, "", cp.size);
	anchored(cp.size + 1);
	anchored(UINT64_MAX);
	cr_assert_eq(segments(), before);
	cr_assert_eq(stat_of("anchored_seq"), 0);
	anchored(cp.size);
	cr_assert_lt(segments(), before);
}

Test(audit_space, places_that_are_configured_later_count_at_once)
{
	size_t before;

	k.s.config.anchors = false;
	begin();
	k.s.config.anchors = true;
	aud_writer_configure(k.w, &k.s.config);
	before = segments();
	two_days();
	cr_assert_eq(segments(), before + 1);
	k.s.config.anchors = false;
	aud_writer_configure(k.w, &k.s.config);
	retention();
	cr_assert_eq(segments(), STAY, "without them age decides");
	cr_assert_eq(stat_of("held"), 0);
	VERIFIED();
}

/* The word is kept nowhere: the first one of a new run says it anew. */
Test(audit_space, a_restart_waits_for_the_next_anchor)
{
	size_t before;

	begin();
	aud_anchored(k.w, origin(&(struct aud_checkpoint){ 0 }), end_of(2));
	kit_kill(&k);
	cr_assert_eq(kit_start(&k), 0);
	before = segments();
	two_days();
	cr_assert_geq(segments(), before);
	anchored_all();
	cr_assert_eq(segments(), STAY);
	VERIFIED();
}

Test(audit_space, a_chain_that_broke_goes_when_that_was_seen)
{
	struct hf_corr corr = { { 0 } };
	json_t *actor = hf_actor_json(&hf_actor_self);
	size_t before;

	begin();
	anchored(end_of(0));
	kit_kill(&k);
	mem_named(k.m, "audit-00000003.log")->data[40] ^= 1;
	cr_assert_eq(kit_start(&k), 0);
	cr_assert_eq(k.durable_told, 0);
	before = segments();
	two_days();
	cr_assert_geq(segments(), before, "nobody has seen it, and nothing is outside");
	anchored_all();
	cr_assert_geq(segments(), before, "nobody has seen it");
	cr_assert_eq(aud_acknowledge(k.w, actor, &corr, "seen", NULL, NULL), 0);
	aud_run(k.w);
	retention();
	cr_assert_lt(segments(), before);
	json_decref(actor);
}

/* Nothing is deleted for want of room: first arming ends, then all that is no silence. */
Test(audit_space, the_ladder_deletes_nothing_that_is_held)
{
	struct kit_fate f;
	size_t before;

	begin();
	two_days();
	before = segments();
	k.m->free = 500000;
	retention();
	aud_run(k.w);
	cr_assert_eq(k.durable_told, 0);
	cr_assert_eq(kit_count(&k, "\"level\":\"refuse\""), 1);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), -EROFS);
	cr_assert_eq(kit_append(&k, "array.silence", AUD_INTENT, 0, NULL, 3, &f), 0);
	aud_run(k.w);
	cr_assert_eq(f.err, 0);
	k.m->free = 0;
	for (int i = 0; i < 5; i++)
		retention();
	cr_assert_geq(segments(), before);
	cr_assert_eq(kit_count(&k, "\"audit.pruned\""), 0);
	/* An anchor makes room, and then all goes on. */
	k.m->free = 1 << 30;
	anchored_all();
	cr_assert_lt(segments(), before);
	cr_assert_eq(k.durable_told, 1);
	cr_assert_eq(kit_append(&k, "array.arm", AUD_INTENT, 0, NULL, 3, &f), 0);
	VERIFIED();
}
