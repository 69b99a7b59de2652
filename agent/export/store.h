/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Incidents on the disk: a file each, replaced whole, so that a damaged one is one incident lost
 * and a change costs one small write.
 */
#ifndef HF_EXPORT_STORE_H
#define HF_EXPORT_STORE_H

#include "incident.h"

/*
 * inc_store_load() - all there are in the folder @dir
 * A file that is none is put aside as NAME.damaged and said; its number is not used again.
 * Return: 0, -errno: the folder cannot be read.
 */
int inc_store_load(struct inc_engine *e, int dir, struct hf_err *err);
/* Return: 0, -errno and why. */
int inc_store_save(int dir, const struct inc *i, struct hf_err *err);
void inc_store_remove(int dir, uint64_t id);

#endif /* HF_EXPORT_STORE_H */
