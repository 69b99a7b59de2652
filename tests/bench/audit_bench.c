// SPDX-License-Identifier: GPL-2.0
/*
 * Records per second that are safe on the disk: ours (with 1, 8, 64 writers
 * waiting for their answer) beside auditd's way, sudo_logsrvd's way and SQLite,
 * in one run in the same folder. JSON on standard output. Messages between
 * processes are not in it: what is measured is the log.
 *
 * Usage: audit_bench FOLDER [SECONDS [ROUNDS]]
 *
 * Each round runs every way for SECONDS. A figure is the median of the rounds, and
 * a ratio the median of what it was in each: a neighbour on the machine is in
 * both of its sides, or counts for one round only.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
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
#define LATS	4000000
#define ROUNDS_MAX 21

static char folder[256];
static double seconds = 1;
static int rounds = 5;

static uint64_t *lat;	/* of the way that runs, ns */
static size_t lats;

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

static void took(uint64_t since)
{
	if (lats < LATS)
		lat[lats++] = now() - since;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct figures {
	double per_s, p50_us, p99_us;
};

static struct figures figures(uint64_t records, uint64_t ns)
{
	struct figures f = { .per_s = (double)records * 1e9 / (double)ns };

	if (lats) {
		qsort(lat, lats, sizeof(*lat), by_value);
		f.p50_us = (double)lat[lats / 2] / 1e3;
		f.p99_us = (double)lat[lats * 99 / 100] / 1e3;
	}
	return f;
}

/**
 * struct way - one way to keep a log
 * @run:	for some seconds. Return: can it be run here?
 * @back:	of ours: the back end
 * @writers:	that wait for their answer; records of one commit, for SQLite
 * @durable:	what is left when the power fails
 */
struct way {
	const char *name;
	bool (*run)(const struct way *w, struct figures *f);
	const char *back;
	int writers;
	const char *durable;
};

/* ------------------------------------------------------------------- ours */

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
	took(c->since);
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

static void none_committed(void *arg, uint64_t ns)
{
	(void)arg;
	(void)ns;
}

static void none_recorded(void *arg, const json_t *record, uint64_t seq)
{
	(void)arg;
	(void)record;
	(void)seq;
}

static bool ours(const struct way *way, struct figures *f)
{
	struct aud_setup s = {
		.config = { .segment_bytes = 64 << 20, .segment_ns = 3600 * HF_S,
			    .checkpoint_records = 256, .checkpoint_ns = HF_S,
			    .retention_ns = 86400 * HF_S, .keep_bytes = 1ULL << 40 },
		.clock = &hf_system_clock, .random = &hf_system_random,
		.events = { none_durable, none_checkpoint, none_say, none_committed, none_recorded },
	};
	struct client *c = calloc((size_t)way->writers, sizeof(*c));
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
	ret = !strcmp(way->back, "uring") ? aud_io_uring(&s.io, dirfd, &e) : aud_io_portable(&s.io, dirfd);
	if (ret) {
		fprintf(stderr, "%s: %s: left out\n", way->back, e.text);
		free(c);
		close(dirfd);
		return false;
	}
	if (aud_key_open(&s.key, dirfd, s.host, &e) || aud_writer_open(&w, &s, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	say.actor = hf_actor_json(&hf_actor_self);
	say.detail = json_pack("{s:s, s:i}", "reason", "focal_pressure", "measured", 4711);
	start = now();
	for (int i = 0; i < way->writers; i++) {
		c[i] = (struct client){ .w = w, .say = &say, .done = &done,
					.until = start + (uint64_t)(seconds * 1e9) };
		again(&c[i]);
	}
	loop(w, s.io, c, way->writers);
	*f = figures(done, now() - start);
	aud_writer_close(w);
	aud_writer_free(w);
	aud_key_free(s.key);
	s.io->ops->free(s.io);
	json_decref(say.actor);
	json_decref(say.detail);
	close(dirfd);
	free(c);
	return true;
}

/* ----------------------------------------------------------------- others */

static char record[RECORD];

static uint64_t end_of_run(uint64_t start)
{
	return start + (uint64_t)(seconds * 1e9);
}

/* auditd: write(2) each. @sync_every: 50: INCREMENTAL, freq = 50; 0: the file is O_SYNC. */
static struct figures auditd(int flags, unsigned int sync_every)
{
	uint64_t start, until, since, n = 0;
	char path[512];
	int fd;

	fresh("auditd", path);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | flags, 0600);
	if (fd < 0)
		die(path);
	start = now();
	for (until = end_of_run(start); (since = now()) < until; took(since)) {
		if (write(fd, record, RECORD) != RECORD)
			die("write");
		n++;
		if (sync_every && n % sync_every == 0 && fsync(fd))
			die("fsync");
	}
	close(fd);
	return figures(n, now() - start);
}

static bool auditd_default(const struct way *w, struct figures *f)
{
	(void)w;
	*f = auditd(0, 50);
	return true;
}

static bool auditd_sync(const struct way *w, struct figures *f)
{
	(void)w;
	*f = auditd(O_SYNC, 0);
	return true;
}

/* A commit point every 10 records, by fflush alone. */
static bool sudo_logsrvd(const struct way *w, struct figures *f)
{
	uint64_t start, until, since, n = 0;
	char path[512];
	FILE *file;

	(void)w;
	fresh("logsrvd", path);
	file = fopen(path, "w");
	if (!file)
		die(path);
	start = now();
	for (until = end_of_run(start); (since = now()) < until; n++) {
		if (fwrite(record, 1, RECORD, file) != RECORD || fflush(file))
			die("fwrite");
		took(since);
	}
	*f = figures(n, now() - start);
	fclose(file);
	return true;
}

static void sql(sqlite3 *db, const char *text)
{
	char *error;

	if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", text, error);
		exit(1);
	}
}

static sqlite3 *sqlite_fresh(sqlite3_stmt **insert)
{
	char path[512];
	sqlite3 *db;

	fresh("db-wal", path);
	fresh("db-shm", path);
	fresh("db", path);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path);
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"CREATE TABLE log (seq INTEGER PRIMARY KEY, record TEXT)");
	if (sqlite3_prepare_v2(db, "INSERT INTO log (record) VALUES (?)", -1, insert, NULL))
		die("prepare");
	return db;
}

static bool sqlite_wal(const struct way *w, struct figures *f)
{
	uint64_t start, until, since, n = 0;
	sqlite3_stmt *insert;
	sqlite3 *db = sqlite_fresh(&insert);

	start = now();
	for (until = end_of_run(start); (since = now()) < until; took(since)) {
		sql(db, "BEGIN");
		for (int i = 0; i < w->writers; i++, n++) {
			sqlite3_bind_text(insert, 1, record, RECORD, SQLITE_STATIC);
			if (sqlite3_step(insert) != SQLITE_DONE)
				die("insert");
			sqlite3_reset(insert);
		}
		sql(db, "COMMIT");
	}
	*f = figures(n, now() - start);
	sqlite3_finalize(insert);
	sqlite3_close(db);
	return true;
}

/* ------------------------------------------------------------------ rounds */

#define OURS	"all that was acknowledged; chained and signed"

static const struct way ways[] = {
	{ "uring_1", ours, "uring", 1, OURS },
	{ "uring_8", ours, "uring", 8, OURS },
	{ "uring_64", ours, "uring", 64, OURS },
	{ "portable_1", ours, "portable", 1, OURS },
	{ "portable_8", ours, "portable", 8, OURS },
	{ "portable_64", ours, "portable", 64, OURS },
	{ "auditd_sync", auditd_sync, NULL, 1, "all" },
	{ "auditd_default", auditd_default, NULL, 1, "all but the last 49" },
	{ "sudo_logsrvd", sudo_logsrvd, NULL, 1, "nothing is certain: never synced" },
	{ "sqlite_wal", sqlite_wal, NULL, 1, "all" },
	{ "sqlite_wal_64", sqlite_wal, NULL, 64, "all" },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static struct figures found[WAYS][ROUNDS_MAX];
static bool ran[WAYS];

/* What the agent takes by default (audit.io: auto): the first, if it runs here. */
static const char *our_back(void)
{
	return ran[0] ? ways[0].back : "portable";
}

static size_t way_of(const char *name)
{
	char full[32];
	size_t i;

	if (!strncmp(name, "ours_", 5)) {
		snprintf(full, sizeof(full), "%s_%s", our_back(), name + 5);
		name = full;
	}
	for (i = 0; i < WAYS && (!ran[i] || strcmp(ways[i].name, name)); i++)
		;
	return i;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double v[ROUNDS_MAX])
{
	qsort(v, (size_t)rounds, sizeof(*v), by_double);
	return v[rounds / 2];
}

/* Two digits behind the point are more than such figures have. */
static json_t *rounded(double v)
{
	return json_real((double)(int64_t)(v * 100 + 0.5) / 100);
}

static json_t *way_json(size_t way)
{
	double per_s[ROUNDS_MAX], p50[ROUNDS_MAX], p99[ROUNDS_MAX], mid;

	for (int r = 0; r < rounds; r++) {
		per_s[r] = found[way][r].per_s;
		p50[r] = found[way][r].p50_us;
		p99[r] = found[way][r].p99_us;
	}
	mid = median(per_s);
	return json_pack("{s:i, s:s, s:I, s:[I, I], s:o, s:o}", "at_once", ways[way].writers,
			 "after_power_cut", ways[way].durable, "per_s", (json_int_t)mid,
			 "per_s_range", (json_int_t)per_s[0], (json_int_t)per_s[rounds - 1],
			 "p50_us", rounded(median(p50)), "p99_us", rounded(median(p99)));
}

static void ratio(json_t *to, const char *a, const char *b, bool p99)
{
	size_t i = way_of(a), j = way_of(b);
	double v[ROUNDS_MAX];
	char name[80];

	if (i == WAYS || j == WAYS)
		return;
	for (int r = 0; r < rounds; r++)
		v[r] = p99 ? found[i][r].p99_us / found[j][r].p99_us :
			     found[i][r].per_s / found[j][r].per_s;
	snprintf(name, sizeof(name), "%s_vs_%s%s", a, b, p99 ? "_p99" : "");
	json_object_set_new(to, name, rounded(median(v)));
}

static json_t *ratios(void)
{
	json_t *j = json_object();

	ratio(j, "ours_1", "sqlite_wal", false);
	ratio(j, "ours_64", "sqlite_wal", false);
	ratio(j, "ours_64", "sqlite_wal_64", false);
	ratio(j, "ours_1", "auditd_sync", false);
	ratio(j, "ours_64", "auditd_sync", false);
	ratio(j, "ours_64", "auditd_default", false);
	ratio(j, "ours_64", "sudo_logsrvd", false);
	ratio(j, "uring_64", "portable_64", false);
	ratio(j, "ours_1", "sqlite_wal", true);
	ratio(j, "ours_64", "sqlite_wal_64", true);
	return j;
}

static void report(void)
{
	json_t *all = json_object(), *j;

	for (size_t i = 0; i < WAYS; i++)
		if (ran[i])
			json_object_set_new(all, ways[i].name, way_json(i));
	j = json_pack("{s:i, s:o, s:i, s:s, s:o, s:o}", "record_bytes", RECORD, "seconds",
		      rounded(seconds), "rounds", rounds, "ours", our_back(), "ways", all,
		      "ratios", ratios());
	json_dumpf(j, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(j);
}

static bool arguments(int argc, char **argv)
{
	if (argc < 2 || argc > 4 || strlen(argv[1]) > 200 || strchr(argv[1], '\''))
		return false;
	strcpy(folder, argv[1]);
	if (argc > 2)
		seconds = atof(argv[2]);
	if (argc > 3)
		rounds = atoi(argv[3]);
	return seconds > 0 && rounds >= 1 && rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
	struct statfs fs;

	if (!arguments(argc, argv)) {
		fputs("usage: audit_bench FOLDER [SECONDS [ROUNDS]]\n", stderr);
		return 64;
	}
	if (statfs(folder, &fs))
		die(folder);
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) {
		fprintf(stderr, "%s: in memory: nothing is durable there\n", folder);
		return 64;
	}
	memset(record, 'x', RECORD);
	lat = malloc(LATS * sizeof(*lat));
	if (!lat)
		die("memory");
	for (int r = 0; r < rounds; r++)
		for (size_t i = 0; i < WAYS; i++) {
			lats = 0;
			ran[i] = ways[i].run(&ways[i], &found[i][r]);
		}
	report();
	free(lat);
	return 0;
}
