/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the keeper asks of other processes, as a table of functions, so that
 * tests play audit and auth. Every request has a deadline; none waits here.
 */
#ifndef HF_KEEPER_PEERS_H
#define HF_KEEPER_PEERS_H

#include "ipc.h"
#include "libholdfast.h"

/* Longer than a disk needs, shorter than a person or the caller's own deadline. */
#define HF_APPEND_NS	(2 * HF_S)
#define HF_WHOIS_NS	(1 * HF_S)
#define HF_TELL_NS	(5 * HF_S)

/**
 * struct hf_record - one record for the audit log, as hf_append() has it
 * @detail:	stolen; an object or NULL
 */
struct hf_record {
	const struct hf_corr *corr;
	const struct hf_actor *actor;
	const char *action, *object, *phase, *result;
	uint64_t intent;
	json_t *detail;
};

/* Each: 0, or -errno and then @fn is not called. @fn may be NULL. */
struct hf_peers {
	int (*append)(void *arg, const struct hf_record *r, hf_reply_fn fn, void *fn_arg);
	int (*whois)(void *arg, const struct hf_corr *corr, const struct holdfast_peer *p,
		     hf_reply_fn fn, void *fn_arg);
	void *arg;
	/* HF_MSG_TRIPPED to export; @body is stolen. NULL: there is none. */
	int (*tell)(void *arg, const struct hf_corr *corr, json_t *body, hf_reply_fn fn,
		    void *fn_arg);
};

#endif /* HF_KEEPER_PEERS_H */
