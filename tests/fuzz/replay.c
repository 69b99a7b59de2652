// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a fuzz target without libFuzzer: over its seeds, and over mutations of
 * them from a fixed generator, so that each run is the same. TAP on standard
 * output; the sanitizers are what fails.
 */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX	65536
#define MUTATIONS	2000	/* of each seed */

static uint64_t state = 0x9e3779b97f4a7c15ULL;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (uint32_t)(state % below) : 0;
}

static size_t mutate(uint8_t *b, size_t n)
{
	unsigned int steps = 1 + pick(8);

	while (steps--) {
		size_t at = pick((uint32_t)n + 1), len = 1 + pick(16);

		switch (pick(5)) {
		case 0:		/* flip a bit */
			if (at < n)
				b[at] ^= (uint8_t)(1U << pick(8));
			break;
		case 1:		/* any byte */
			if (at < n)
				b[at] = (uint8_t)pick(256);
			break;
		case 2:		/* cut */
			if (pick(4) == 0)
				n = at;
			break;
		case 3:		/* insert */
			if (n + len > INPUT_MAX)
				break;
			memmove(b + at + len, b + at, n - at);
			n += len;
			while (len--)
				b[at + len] = (uint8_t)pick(256);
			break;
		default:	/* remove */
			if (at + len <= n) {
				memmove(b + at, b + at + len, n - at - len);
				n -= len;
			}
		}
	}
	return n;
}

/* A copy of exactly the input's size: reading behind it is found. */
static void run(const uint8_t *b, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, b, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static int seed_run(const char *path)
{
	static uint8_t seed[INPUT_MAX], work[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return -1;
	n = fread(seed, 1, sizeof(seed), f);
	fclose(f);
	run(seed, n);
	for (int i = 0; i < MUTATIONS; i++) {
		memcpy(work, seed, n);
		run(work, mutate(work, n));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **names;
	int count, seeds = 0;
	char path[PATH_MAX];

	if (argc != 2) {
		fprintf(stderr, "Usage: %s SEED-FOLDER\n", argv[0]);
		return 2;
	}
	count = scandir(argv[1], &names, NULL, alphasort);
	puts("TAP version 13");
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
			printf("%sok %d - %s\n", seed_run(path) ? "not " : "", ++seeds,
			       names[i]->d_name);
		}
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	printf("1..%d\n", seeds);
	return seeds ? 0 : 1;
}
