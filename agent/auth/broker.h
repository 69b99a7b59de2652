/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every CALL comes through here: is there such an operation, are the arguments
 * what its table says, who asks, may they; then it is carried out here or handed
 * on with the actor. front and local have no authority of their own.
 */
#ifndef HF_BROKER_H
#define HF_BROKER_H

#include "auth.h"

#define HF_DEADLINE_MS		5000	/* of a call that states none */
#define HF_DEADLINE_LOGIN_MS	30000	/* of one that hashes: there is a queue */

/**
 * hf_broker_call() - decide a call and see to its answer
 * @from:	HF_PROC_FRONT or HF_PROC_LOCAL
 * @gen:	generation of its link, given back with the answer
 * @body:	{ op, args, cred, src: { via, address }[, deadline_ms] }, borrowed
 */
void hf_broker_call(struct hf_auth *a, enum hf_proc from, unsigned int gen, uint64_t id,
		    const struct hf_corr *corr, const json_t *body);
/* WHOIS: { name, role, tenant }, or an error object and its status. */
int hf_broker_whois(struct hf_auth *a, const json_t *body, json_t **out);
/* REPORT of front or local about abuse: into the audit log, up to a rate. */
void hf_broker_report(struct hf_auth *a, enum hf_proc from, const struct hf_corr *corr,
		      const json_t *body);

#endif /* HF_BROKER_H */
