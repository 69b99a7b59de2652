/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The secret store as this process uses and guards it: operations secret.*, and
 * which process may have which secret.
 */
#ifndef HF_VAULT_H
#define HF_VAULT_H

#include "auth.h"

/* May process @p have the secret @name? By prefix: "tls-" front, "export-" export, "fleet-" fleet. */
bool hf_vault_entitled(enum hf_proc p, const char *name);
/* { value } for HF_MSG_SECRET. Return: 200, or the status of @out's error object. */
int hf_vault_answer(struct hf_auth *a, enum hf_proc p, const char *name, json_t **out);
/*
 * Opens the store with @key, and takes the pepper if there is one. If it opens with @old alone
 * (NULL: there is none), it is encrypted anew with @key. Return: 0, -errno and why.
 */
int hf_vault_open(struct hf_auth *a, const struct hf_master_key *key, const struct hf_master_key *old,
		  struct hf_err *e);
/* From time to time: the record of a master key that was changed at the start. */
void hf_vault_tick(struct hf_auth *a);

#endif /* HF_VAULT_H */
