/* SPDX-License-Identifier: GPL-2.0 */
/* A member's header, made by one function for the writer and the reader. Only for archive*.c. */
#ifndef HF_ARCHIVE_TAR_H
#define HF_ARCHIVE_TAR_H

#include <stdint.h>

#define TAR_BLOCK	512
#define MANIFEST	"MANIFEST"
#define SIGNATURE	"MANIFEST.sig"
#define SIGNATURE_BYTES	64
#define SIGN_CONTEXT	"holdfast backup v1\n"	/* before what is signed: no other use of the key fits */

/* @block: TAR_BLOCK bytes. @name: shorter than 100. */
void hf_tar_header(uint8_t *block, const char *name, uint64_t size, uint64_t t_s);

static inline uint64_t hf_tar_padding(uint64_t size)
{
	return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

#endif /* HF_ARCHIVE_TAR_H */
