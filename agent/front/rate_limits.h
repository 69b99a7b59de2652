/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often: per address, per endpoint, per credential, and logins. Decided
 * before a request costs anything; per user, auth decides. Silence is never
 * asked for here.
 */
#ifndef HF_RATE_LIMITS_H
#define HF_RATE_LIMITS_H

#include "clock.h"
#include "http.h"
#include "ops.h"

struct hf_limits;

struct hf_rates {
	uint32_t requests_per_minute;	/* of one address, and of one credential */
	uint32_t login_per_minute;	/* of one address */
};

int hf_limits_new(struct hf_limits **out, const struct hf_random *r);
void hf_limits_free(struct hf_limits *l);
void hf_limits_set(struct hf_limits *l, const struct hf_rates *rates);

/**
 * hf_limits_take() - may this request pass?
 * @op:		NULL: nothing that exists
 * @cred:	may be of kind none
 *
 * Return: 0, or nanoseconds until it may. Operations of HF_OP_QUIET always may.
 */
uint64_t hf_limits_take(struct hf_limits *l, const struct hf_source *s, const struct hf_op *op,
			const struct hf_cred *cred, uint64_t now_ns);

#endif /* HF_RATE_LIMITS_H */
