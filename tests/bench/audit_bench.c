// SPDX-License-Identifier: GPL-2.0
/*
 * Records per second that are safe on the disk: ours (with 1, 8, 64 writers
 * waiting for their answer) beside auditd's way, sudo_logsrvd's way and SQLite,
 * in one run in the same folder. JSON on standard output. Messages between
 * processes are not in it: what is measured is the log.
 *
 * Usage: audit_bench FOLDER [SECONDS]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "audit/writer.h"

#define RECORD	400	/* bytes of one of ours, about; the others write as many */

static char folder[256];
static double seconds = 2;
static bool comma;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	return hf_mono_ns(&hf_system_clock);
}

static void fresh(const char *name, char path[512])
{
	char cmd[600];

	snprintf(path, 512, "%s/%s", folder, name);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", path);
	if (system(cmd))
		die(cmd);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* @lat: of each record, ns; sorted here. */
static void report(const char *way, int writers, const char *durable, uint64_t n, uint64_t ns,
		   uint64_t *lat, size_t lats)
{
	printf("%s\n  {\"way\": \"%s\", \"writers\": %d, \"durable\": \"%s\", \"records\": %llu, "
	       "\"per_s\": %.0f", comma ? "," : "[", way, writers, durable, (unsigned long long)n,
	       (double)n * 1e9 / (double)ns);
	comma = true;
	if (lats) {
		qsort(lat, lats, sizeof(*lat), by_value);
		printf(", \"p50_us\": %.0f, \"p99_us\": %.0f", (double)lat[lats / 2] / 1e3,
		       (double)lat[lats * 99 / 100] / 1e3);
	}
	printf("}");
	fflush(stdout);
}

/* ------------------------------------------------------------------- ours */

#define LATS	4000000

static uint64_t *lat;
static size_t lats;

struct client {
	struct aud_writer *w;
	struct aud_say *say;
	uint64_t since, until;
	uint64_t *done;
	bool idle;
};

static void answered(void *arg, int err, uint64_t seq)
{
	struct client *c = arg;

	(void)seq;
	if (err) {
		fprintf(stderr, "append: %s\n", strerror(-err));
		exit(1);
	}
	++*c->done;
	if (lats < LATS)
		lat[lats++] = now() - c->since;
	c->idle = true;		/* as in the agent, the next comes with the next round of the loop */
}

static void again(struct client *c)
{
	c->idle = false;
	c->since = now();
	if (c->since < c->until && aud_append(c->w, c->say, 3, answered, c)) {
		fputs("append refused\n", stderr);
		exit(1);
	}
}

static void none_durable(void *arg, bool durable, const char *why)
{
	(void)arg;
	if (!durable)
		fprintf(stderr, "not durable: %s\n", why);
}

static void none_checkpoint(void *arg, const struct aud_note *n, const struct aud_checkpoint *cp)
{
	(void)arg, (void)n, (void)cp;
}

static void none_say(void *arg, bool error, const char *event, const char *text)
{
	(void)arg;
	if (error)
		fprintf(stderr, "%s: %s\n", event, text);
}

static void loop(struct aud_writer *w, struct aud_io *io, struct client *c, int writers)
{
	struct pollfd p = { .fd = io->ops->fd(io), .events = POLLIN };
	uint64_t tick = 0;

	while (now() < c[0].until || !aud_idle(w)) {
		for (int i = 0; i < writers; i++)
			if (c[i].idle)
				again(&c[i]);
		aud_run(w);
		if (p.fd >= 0 && poll(&p, 1, 100) > 0)
			aud_poll(w);
		if (now() >= tick)
			tick = aud_tick(w);
	}
}

static void ours(const char *back, int writers)
{
	struct aud_setup s = {
		.config = { .segment_bytes = 64 << 20, .segment_ns = 3600 * HF_S,
			    .checkpoint_records = 256, .checkpoint_ns = HF_S,
			    .retention_ns = 86400 * HF_S, .keep_bytes = 1ULL << 40 },
		.clock = &hf_system_clock, .random = &hf_system_random,
		.events = { none_durable, none_checkpoint, none_say },
	};
	struct client *c = calloc((size_t)writers, sizeof(*c));
	struct aud_say say = { .action = "array.frame.refused", .object = "array/0",
			       .phase = AUD_EVENT, .result = "refused" };
	struct aud_writer *w;
	uint64_t done = 0, start;
	struct hf_err e = { "" };
	char path[512];
	int dirfd, ret;

	fresh("ours", path);
	if (mkdir(path, 0700))
		die(path);
	dirfd = open(path, O_RDONLY | O_DIRECTORY);
	ret = !strcmp(back, "uring") ? aud_io_uring(&s.io, dirfd, &e) : aud_io_portable(&s.io, dirfd);
	if (ret) {
		fprintf(stderr, "%s: %s: left out\n", back, e.text);
		free(c);
		close(dirfd);
		return;
	}
	if (aud_key_open(&s.key, dirfd, s.host, &e) || aud_writer_open(&w, &s, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	say.actor = hf_actor_json(&hf_actor_self);
	say.detail = json_pack("{s:s, s:i}", "reason", "focal_pressure", "measured", 4711);
	lats = 0;
	start = now();
	for (int i = 0; i < writers; i++) {
		c[i] = (struct client){ .w = w, .say = &say, .done = &done,
					.until = start + (uint64_t)(seconds * 1e9) };
		again(&c[i]);
	}
	loop(w, s.io, c, writers);
	report(back, writers, "yes: acknowledged after fdatasync, chained, signed", done,
	       now() - start, lat, lats);
	aud_writer_close(w);
	aud_writer_free(w);
	aud_key_free(s.key);
	s.io->ops->free(s.io);
	json_decref(say.actor);
	json_decref(say.detail);
	close(dirfd);
	free(c);
}

/* ----------------------------------------------------------------- others */

static char record[RECORD];

/* flush = INCREMENTAL, freq = 50: write(2) each, fsync every 50th. */
static void auditd_way(void)
{
	uint64_t start = now(), n = 0, until = start + (uint64_t)(seconds * 1e9);
	char path[512];
	int fd;

	fresh("auditd", path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		die(path);
	for (; now() < until; n++) {
		if (write(fd, record, RECORD) != RECORD)
			die("write");
		if (n % 50 == 49 && fsync(fd))
			die("fsync");
	}
	report("auditd: write each, fsync every 50", 1, "the last 49 can be lost", n, now() - start,
	       NULL, 0);
	close(fd);
}

/* A commit point every 10 records, by fflush alone. */
static void logsrvd_way(void)
{
	uint64_t start = now(), n = 0, until = start + (uint64_t)(seconds * 1e9);
	char path[512];
	FILE *f;

	fresh("logsrvd", path);
	f = fopen(path, "w");
	if (!f)
		die(path);
	for (; now() < until; n++)
		if (fwrite(record, 1, RECORD, f) != RECORD || fflush(f))
			die("fwrite");
	report("sudo_logsrvd: write and fflush each, commit point every 10", 1,
	       "NO: nothing is ever synced, lost power loses what was acknowledged", n,
	       now() - start, NULL, 0);
	fclose(f);
}

static void sql(sqlite3 *db, const char *text)
{
	char *error;

	if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", text, error);
		exit(1);
	}
}

static void sqlite_way(int batch)
{
	uint64_t start, n = 0, until;
	sqlite3_stmt *insert;
	char path[512];
	sqlite3 *db;

	fresh("db-wal", path);
	fresh("db-shm", path);
	fresh("db", path);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path);
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"CREATE TABLE log (seq INTEGER PRIMARY KEY, record TEXT)");
	sqlite3_prepare_v2(db, "INSERT INTO log (record) VALUES (?)", -1, &insert, NULL);
	start = now();
	until = start + (uint64_t)(seconds * 1e9);
	while (now() < until) {
		sql(db, "BEGIN");
		for (int i = 0; i < batch; i++, n++) {
			sqlite3_bind_text(insert, 1, record, RECORD, SQLITE_STATIC);
			if (sqlite3_step(insert) != SQLITE_DONE)
				die("insert");
			sqlite3_reset(insert);
		}
		sql(db, "COMMIT");
	}
	report("SQLite WAL, synchronous=FULL", batch, "yes: no chain, no signatures", n,
	       now() - start, NULL, 0);
	sqlite3_finalize(insert);
	sqlite3_close(db);
}

int main(int argc, char **argv)
{
	static const int writers[] = { 1, 8, 64 };
	struct statfs fs;

	if (argc < 2 || argc > 3 || strlen(argv[1]) > 200 || strchr(argv[1], '\'')) {
		fputs("usage: audit_bench FOLDER [SECONDS]\n", stderr);
		return 64;
	}
	strcpy(folder, argv[1]);
	if (statfs(folder, &fs))
		die(folder);
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) {
		fprintf(stderr, "%s: in memory: nothing is durable there\n", folder);
		return 64;
	}
	if (argc == 3)
		seconds = atof(argv[2]);
	memset(record, 'x', RECORD);
	lat = malloc(LATS * sizeof(*lat));
	if (!lat)
		die("memory");
	for (int i = 0; i < 3; i++)
		ours("portable", writers[i]);
	for (int i = 0; i < 3; i++)
		ours("uring", writers[i]);
	auditd_way();
	logsrvd_way();
	sqlite_way(1);
	sqlite_way(64);
	puts("\n]");
	free(lat);
	return 0;
}
