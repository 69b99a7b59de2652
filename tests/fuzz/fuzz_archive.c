/* links: common lib */
// SPDX-License-Identifier: GPL-2.0
/*
 * Backup archives: as they come; and what the writer makes of any names and
 * data, which the reader must take if no name stands twice, and refuse if one does.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_it_comes(int fd, const uint8_t *data, size_t size, const uint8_t *pub)
{
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	/* nobody who lacks the key can make one */
	if (!hf_archive_verify(fd, pub, NULL, NULL))
		abort();
}

/* A member: length of its name, name, length of its data, data. */
static void as_written(int fd, const uint8_t *data, size_t size, EVP_PKEY *key, const uint8_t *pub)
{
	struct hf_archive_writer w;
	json_t *names = json_object();
	bool twice = false;

	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) || hf_archive_begin(&w, fd, 1))
		abort();
	for (size_t at = 0; at < size;) {
		size_t n = data[at] % 100, len;
		char name[100] = "";

		at++;
		n = n < size - at ? n : size - at;
		memcpy(name, data + at, n);
		at += n;
		len = at < size ? data[at++] : 0;
		len = len < size - at ? len : size - at;
		if (hf_archive_member(&w, name, len, NULL))
			continue;
		twice |= json_object_get(names, name) != NULL;
		json_object_set_new(names, name, json_true());
		if (len && hf_archive_data(&w, data + at, len, NULL))
			abort();
		at += len;
	}
	if (hf_archive_finish(&w, json_object(), key, NULL))
		abort();
	hf_archive_free(&w);
	if (!hf_archive_verify(fd, pub, NULL, NULL) == twice)
		abort();
	json_decref(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[HF_ED25519_BYTES] = { 7 };
	static EVP_PKEY *key;
	static uint8_t pub[HF_ED25519_BYTES];
	static int fd = -1;
	size_t len = sizeof(pub);

	if (fd < 0) {
		fd = memfd_create("archive", MFD_CLOEXEC);
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
		if (fd < 0 || !key || EVP_PKEY_get_raw_public_key(key, pub, &len) != 1)
			abort();
	}
	as_it_comes(fd, data, size, pub);
	as_written(fd, data, size, key, pub);
	return 0;
}
