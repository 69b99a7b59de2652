// SPDX-License-Identifier: GPL-2.0
/*
 * holdfast-audit-verify: is this audit log what was written? Reads a folder,
 * writes nothing, and says by its exit status and in words what is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "verify.h"

#define TEXT_MAX	(16 * 1024 * 1024)
#define TRIES		4	/* a log that is being written has an unfinished end now and then */
#define ANCHOR_FILES	64

static const char usage_text[] =
	"Usage: holdfast-audit-verify [--pubkey FILE] [--anchor FILE]... [--from FILE] [--json] DIR\n"
	"\n"
	"  --pubkey FILE   verifier keys, one a line; default DIR/checkpoint.pub, which only shows\n"
	"                  that the log agrees with itself\n"
	"  --anchor FILE   signed checkpoints that were kept elsewhere; may be repeated\n"
	"  --from FILE     a signed checkpoint up to which the log was verified before\n"
	"  --json          the result as one JSON object\n"
	"\n"
	"Exit status: 0 as written, 1 tampered with, 2 torn tail, 3 gap, 4 rolled back, 5 bad signature,\n"
	"64 usage, 74 cannot be read.\n";

struct options {
	const char *pubkey, *from, *dir;
	const char *anchor[ANCHOR_FILES];
	int anchors;
	bool json;
};

struct folder {
	int fd;
	struct vfy_file *log, *cp;
	size_t logs, cps;
};

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "holdfast-audit-verify: %s: %s\n", what, why);
	return VFY_IO;
}

/* ----------------------------------------------------------------- files */

/* The whole file, or NULL (said). Caller frees. */
static char *read_text(int dirfd, const char *path, size_t *len)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= TEXT_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text)
		n = read(fd, text, (size_t)st.st_size);
	if (n < 0 || n != st.st_size) {
		complain(path, fd < 0 ? strerror(errno) : "not a readable file of at most 16 MiB");
		free(text);
		text = NULL;
	} else {
		*len = (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static ssize_t file_read(const struct vfy_file *f, void *buf, size_t len, uint64_t at)
{
	ssize_t n;
	size_t have = 0;

	while (have < len) {
		n = pread(f->fd, (char *)buf + have, len - have, (off_t)(at + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/* "audit-00000001.log" -> 1; 0: another name. */
static uint64_t index_of(const char *name, const char *suffix)
{
	char again[64];
	uint64_t index;

	if (sscanf(name, "audit-%16" SCNu64, &index) != 1)
		return 0;
	snprintf(again, sizeof(again), "audit-%08" PRIu64 "%s", index, suffix);
	return strcmp(again, name) ? 0 : index;
}

static int add_file(struct folder *d, struct vfy_file **list, size_t *n, const char *name,
		    uint64_t index)
{
	struct vfy_file *more = realloc(*list, (*n + 1) * sizeof(**list));
	struct stat st;
	int fd;

	if (!more)
		return complain(name, "out of memory");
	*list = more;
	fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return complain(name, fd < 0 ? strerror(errno) : "not a regular file");
	}
	more[(*n)++] = (struct vfy_file){ .index = index, .size = (uint64_t)st.st_size,
					  .read = file_read, .fd = fd };
	return 0;
}

static int by_index(const void *a, const void *b)
{
	const struct vfy_file *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void folder_close(struct folder *d)
{
	for (size_t i = 0; i < d->logs; i++)
		close(d->log[i].fd);
	for (size_t i = 0; i < d->cps; i++)
		close(d->cp[i].fd);
	free(d->log);
	free(d->cp);
	*d = (struct folder){ .fd = d->fd };
}

/*
 * Checkpoints first: one that is written while we read must not know more than the segments that
 * we have seen.
 */
static int folder_scan(struct folder *d, const char *suffix, struct vfy_file **list, size_t *n)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir)
		return complain("folder", strerror(errno));
	while (!ret && (e = readdir(dir))) {
		uint64_t index = index_of(e->d_name, suffix);

		if (index)
			ret = add_file(d, list, n, e->d_name, index);
	}
	closedir(dir);
	if (*n)
		qsort(*list, *n, sizeof(**list), by_index);
	return ret;
}

static int folder_open(struct folder *d)
{
	int ret = folder_scan(d, ".cp", &d->cp, &d->cps);

	return ret ? ret : folder_scan(d, ".log", &d->log, &d->logs);
}

/* ---------------------------------------------------------------- result */

static void print_json_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void print_json(const struct vfy *v, bool own_key)
{
	printf("{\"code\":%d,\"records\":%" PRIu64 ",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64
	       ",\"segments\":%" PRIu64 ",\"checkpoints\":%" PRIu64 ",\"breaks\":%" PRIu64
	       ",\"unmet_anchors\":%" PRIu64 ",\"superseded\":%" PRIu64 ",\"key_from_log\":%s",
	       v->code, v->records, v->first_seq, v->seq, v->segments, v->checkpoints, v->breaks,
	       v->unmet_anchors, v->superseded, own_key ? "true" : "false");
	if (v->code) {
		printf(",\"seq\":%" PRIu64 ",\"segment\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"text\":",
		       v->bad_seq, v->bad_file, v->bad_at);
		print_json_text(v->text);
	}
	puts("}");
}

static void print_words(const struct vfy *v, bool own_key)
{
	static const char *const words[] = {
		[VFY_OK] = "as written", [VFY_TAMPER] = "TAMPERED WITH", [VFY_TORN] = "torn tail",
		[VFY_GAP] = "GAP", [VFY_ROLLBACK] = "ROLLED BACK", [VFY_SIGNATURE] = "BAD SIGNATURE",
	};

	printf("%s", v->code < 6 ? words[v->code] : "cannot be read");
	if (v->code)
		printf(": %s", v->text);
	printf("\n%" PRIu64 " records (%" PRIu64 " to %" PRIu64 ") in %" PRIu64 " segments, %" PRIu64
	       " signed checkpoints\n", v->records, v->first_seq, v->seq, v->segments,
	       v->checkpoints);
	if (v->pruned_said)
		printf("records before %" PRIu64 " were deleted, on record\n", v->first_seq);
	if (v->breaks)
		printf("%" PRIu64 " recorded breaks of the chain\n", v->breaks);
	if (v->unmet_anchors)
		printf("%" PRIu64 " anchors are of records that are not read here\n",
		       v->unmet_anchors);
	if (own_key)
		puts("the key is the log's own: give --pubkey to know who signed");
}

/* ------------------------------------------------------------------- run */

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "pubkey", required_argument, NULL, 'k' }, { "anchor", required_argument, NULL, 'a' },
		{ "from", required_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage_text, stdout);
			exit(0);
		}
		if (c == 'V') {
			puts("holdfast-audit-verify " HF_VERSION);
			exit(0);
		}
		if (c == '?' || (c == 'a' && o->anchors == ANCHOR_FILES))
			return VFY_USAGE;
		if (c == 'k')
			o->pubkey = optarg;
		else if (c == 'f')
			o->from = optarg;
		else if (c == 'j')
			o->json = true;
		else
			o->anchor[o->anchors++] = optarg;
	}
	if (optind != argc - 1)
		return VFY_USAGE;
	o->dir = argv[optind];
	return 0;
}

/* Notes of a file that the caller vouches for. Return: 0, VFY_SIGNATURE, VFY_IO. */
static int load_notes(const struct vfy_input *in, const char *path, struct vfy_points *out)
{
	size_t len, at, before = out->n;
	char *text = read_text(AT_FDCWD, path, &len);
	enum vfy_code code;

	if (!text)
		return VFY_IO;
	code = vfy_points_parse(in->keys, in->key_count, text, len, out, &at);
	free(text);
	if (code != VFY_OK || out->n == before) {
		fprintf(stderr, "holdfast-audit-verify: %s, byte %zu: no checkpoint signed by the key\n",
			path, at);
		return VFY_SIGNATURE;
	}
	return 0;
}

static int load_keys(const struct options *o, int dirfd, struct vfy_key *keys, int *count)
{
	size_t len;
	char *text = read_text(o->pubkey ? AT_FDCWD : dirfd, o->pubkey ? o->pubkey : "checkpoint.pub",
			       &len);

	if (!text)
		return VFY_IO;
	*count = vfy_keys_parse(text, len, keys, VFY_KEYS);
	free(text);
	if (*count < 1)
		return complain(o->pubkey ? o->pubkey : "checkpoint.pub",
				"not verifier keys, one a line");
	return 0;
}

/* One reading of the folder. */
static int judge(struct vfy *v, struct vfy_input *in, struct folder *d)
{
	int ret = folder_open(d);

	if (ret)
		return ret;
	in->log = d->log;
	in->logs = d->logs;
	in->cp = d->cp;
	in->cps = d->cps;
	in->window_log = NULL;
	for (size_t i = 0; i < in->anchors.n; i++)
		in->anchors.p[i].met = false;
	vfy_init(v, in);
	return vfy_run(v);
}

static int run(const struct options *o, struct vfy_input *in, struct folder *d)
{
	struct vfy *v = calloc(1, sizeof(*v));
	int code = VFY_IO;

	if (!v)
		return complain("state", "out of memory");
	for (int tries = 0; tries < TRIES; tries++) {
		const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
		uint64_t seq = v->seq;

		vfy_end(v);
		code = judge(v, in, d);
		folder_close(d);
		if (code != VFY_TORN || (tries && v->seq == seq))
			break;
		nanosleep(&pause, NULL);
	}
	if (o->json)
		print_json(v, !o->pubkey);
	else
		print_words(v, !o->pubkey);
	vfy_end(v);
	free(v);
	return code;
}

int main(int argc, char **argv)
{
	static struct vfy_key keys[VFY_KEYS];
	struct options o = { .pubkey = NULL };
	struct vfy_input in = { .keys = keys };
	struct vfy_points from = { NULL, 0 };
	struct folder d = { .fd = -1 };
	int code = parse_options(&o, argc, argv);

	if (code) {
		fputs(usage_text, stderr);
		return code;
	}
	d.fd = open(o.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d.fd < 0)
		return complain(o.dir, strerror(errno));
	code = load_keys(&o, d.fd, keys, &in.key_count);
	for (int i = 0; i < o.anchors && !code; i++)
		code = load_notes(&in, o.anchor[i], &in.anchors);
	if (!code && o.from)
		code = load_notes(&in, o.from, &from);
	vfy_points_sort(&in.anchors);
	vfy_points_sort(&from);
	in.from = from.n ? &from.p[from.n - 1].note : NULL;
	in.window = malloc(VFY_WINDOW);
	if (!code && in.window)
		code = run(&o, &in, &d);
	free(in.window);
	free(in.anchors.p);
	free(from.p);
	close(d.fd);
	return code;
}
