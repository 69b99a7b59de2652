// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration in our units, and what its parts must be to each other.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "auth.h"
#include "config.h"

static uint64_t seconds(const json_t *config, const char *path)
{
	return (uint64_t)hf_config_int(config, path) * HF_S;
}

int hf_auth_config_read(struct hf_auth_config *c, const json_t *config, struct hf_err *e)
{
	*c = (struct hf_auth_config){
		.cost = {
			.kdf = strcmp(hf_config_text(config, "auth.kdf"), "pbkdf2") ? HF_KDF_ARGON2ID :
										      HF_KDF_PBKDF2,
			.iterations = (uint32_t)hf_config_int(config, "auth.pbkdf2_iterations"),
			.kib = (uint32_t)hf_config_int(config, "auth.argon2_kib"),
			.passes = (uint32_t)hf_config_int(config, "auth.argon2_passes"),
		},
		.workers = (unsigned int)hf_config_int(config, "auth.hash_workers"),
		.queue = (unsigned int)hf_config_int(config, "auth.hash_queue"),
		.password_min = (size_t)hf_config_int(config, "auth.password_min"),
		.user_idle_ns = seconds(config, "auth.session_user_idle_s"),
		.user_max_ns = seconds(config, "auth.session_user_max_s"),
		.admin_idle_ns = seconds(config, "auth.session_admin_idle_s"),
		.admin_max_ns = seconds(config, "auth.session_admin_max_s"),
		.step_up_ns = seconds(config, "auth.step_up_s"),
		.token_ttl_s = hf_config_int(config, "auth.token_ttl_s"),
		.lockout = {
			.free_tries = (uint32_t)hf_config_int(config, "auth.lockout_free_tries"),
			.start_ns = seconds(config, "auth.lockout_start_s"),
			.max_ns = seconds(config, "auth.lockout_max_s"),
		},
		.totp_required = hf_config_bool(config, "auth.totp_required"),
		.remote_arming = !strcmp(hf_config_text(config, "auth.remote_arming"), "step_up"),
		.key_days = hf_config_int(config, "health.key_days"),
		.requests_per_minute = (uint32_t)hf_config_int(config, "api.requests_per_minute"),
	};
	/* Else we would write hashes that phc.c refuses to read. */
	if (c->cost.kib > HF_PHC_KIB_MAX || c->cost.passes > HF_PHC_KIB_PASSES_MAX / c->cost.kib)
		return hf_fail(e, -EINVAL, "auth.argon2_kib: %" PRIu32 " KiB x %" PRIu32
			       " passes, together at most %d", c->cost.kib, c->cost.passes, HF_PHC_KIB_PASSES_MAX);
	if (c->cost.iterations > HF_PHC_ITERATIONS_MAX)
		return hf_fail(e, -EINVAL, "auth.pbkdf2_iterations: %" PRIu32 ", at most %d",
			       c->cost.iterations, HF_PHC_ITERATIONS_MAX);
	if (c->token_ttl_s > HF_JWT_LIFE_MAX_S)
		return hf_fail(e, -EINVAL, "auth.token_ttl_s: %" PRId64 ", at most %d", c->token_ttl_s,
			       HF_JWT_LIFE_MAX_S);
	return 0;
}
