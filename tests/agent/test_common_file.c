// SPDX-License-Identifier: GPL-2.0
/*
 * Files that matter: what is refused, what a replacement leaves; and log lines,
 * as they come out of standard error. Runs as root or not.
 */
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "file.h"
#include "log.h"

static char dir[] = "/tmp/hf-file-XXXXXX";
static int dirfd_;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
}

static void teardown(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d)))
		if (e->d_name[0] != '.' || (e->d_name[1] && e->d_name[1] != '.'))
			unlinkat(dirfd_, e->d_name, 0);
	closedir(d);
	close(dirfd_);
	rmdir(dir);
}

TestSuite(file, .init = setup, .fini = teardown, .timeout = 10);

static void put(const char *name, const char *text, mode_t mode)
{
	cr_assert_eq(hf_file_replace(dirfd_, name, text, strlen(text), mode, NULL), 0);
}

static int get(const char *name, size_t max, char *out, size_t room)
{
	char *data;
	size_t len;
	int ret = hf_file_read(dirfd_, name, max, &data, &len, NULL);

	if (ret)
		return ret;
	cr_assert_eq(strlen(data), len);
	snprintf(out, room, "%s", data);
	free(data);
	return 0;
}

static int entries(void)
{
	DIR *d = opendir(dir);
	int n = -2;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

Test(file, there_and_back)
{
	char text[64], path[64];
	struct stat st;

	put("a", "hello", 0640);
	cr_expect_eq(get("a", 5, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "hello");
	cr_expect_eq(fstatat(dirfd_, "a", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	snprintf(path, sizeof(path), "%s/a", dir);
	cr_expect_eq(hf_file_replace(AT_FDCWD, path, "x", 1, 0600, NULL), 0,
		     "by a path with folders");
	cr_expect_eq(get("a", 5, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "x");
	cr_expect_eq(entries(), 1, "no temporary file is left");
}

Test(file, limits)
{
	struct hf_err e;
	char *data;
	size_t len;

	put("a", "hello", 0600);
	cr_expect_eq(hf_file_read(dirfd_, "a", 4, &data, &len, &e), -EFBIG);
	cr_expect_str_eq(e.text, "a: 5 bytes, the limit is 4");
	cr_expect_eq(hf_file_read(dirfd_, "none", 4, &data, &len, &e), -ENOENT);
}

Test(file, refused)
{
	char text[8];
	int fd;

	put("a", "hello", 0600);
	cr_assert_eq(symlinkat("a", dirfd_, "link"), 0);
	cr_assert_eq(mkfifoat(dirfd_, "fifo", 0600), 0);
	put("shared", "x", 0620);
	put("open", "x", 0602);
	cr_expect_eq(get("link", 9, text, sizeof(text)), -ELOOP);
	cr_expect_eq(get("fifo", 9, text, sizeof(text)), -EPERM,
		     "and without waiting for a writer");
	cr_expect_eq(get("shared", 9, text, sizeof(text)), -EPERM);
	cr_expect_eq(get("open", 9, text, sizeof(text)), -EPERM);
	cr_expect_eq(get(".", 9, text, sizeof(text)), -EPERM);
	fd = hf_file_open_checked(dirfd_, "a", O_RDONLY, NULL);
	cr_expect_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

Test(file, owners)
{
	char text[8];

	if (geteuid())
		return;		/* giving files away needs root, as `make check` is run */
	put("theirs", "x", 0600);
	cr_assert_eq(fchownat(dirfd_, "theirs", 1234, 1234, 0), 0);
	cr_expect_eq(get("theirs", 9, text, sizeof(text)), -EPERM);
	cr_assert_eq(fchown(dirfd_, 1234, 1234), 0);
	cr_expect_eq(get("theirs", 9, text, sizeof(text)), 0,
		     "who owns the folder could have replaced it");
	cr_assert_eq(fchmod(dirfd_, 0777), 0);
	cr_expect_eq(get("theirs", 9, text, sizeof(text)), -EPERM, "but not if everybody could");
}

Test(file, a_replacement_that_fails_leaves_the_old_one)
{
	char text[64], name[300];

	put("a", "old", 0600);
	cr_assert_eq(symlinkat("/nowhere", dirfd_, ".a.new"), 0);
	put("a", "new", 0600);
	cr_expect_eq(get("a", 9, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "new", "a link in the temporary file's place is not followed");
	cr_assert_eq(mkdirat(dirfd_, ".a.new", 0700), 0);
	cr_expect_eq(hf_file_replace(dirfd_, "a", "newer", 5, 0600, NULL), -EEXIST);
	cr_expect_eq(get("a", 9, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "new");
	unlinkat(dirfd_, ".a.new", AT_REMOVEDIR);
	memset(name, 'n', sizeof(name));
	name[252] = '\0';
	cr_expect_eq(hf_file_replace(dirfd_, name, "x", 1, 0600, NULL), -ENAMETOOLONG);
}

/* ------------------------------------------------------------------ log */

static struct hf_test_clock clock_;
static int old_stderr, pipe_[2];

static void log_setup(void)
{
	hf_test_clock_init(&clock_, 100 * HF_S, 0);
	cr_assert_eq(pipe(pipe_), 0);
	fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
	old_stderr = dup(STDERR_FILENO);
	dup2(pipe_[1], STDERR_FILENO);
	hf_log_open(HF_PROC_KEEPER, &clock_.clock);
}

static void log_teardown(void)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	close(pipe_[0]);
	close(pipe_[1]);
}

/* The next line; NULL: there is none. Every line must be JSON. */
static json_t *line(void)
{
	char buf[4096];
	size_t n = 0;

	while (n + 1 < sizeof(buf) && read(pipe_[0], buf + n, 1) == 1)
		if (buf[n++] == '\n') {
			json_t *j = json_loadb(buf, n, 0, NULL);

			cr_assert_not_null(j, "%.*s", (int)n, buf);
			return j;
		}
	cr_assert_eq(n, 0, "half a line");
	return NULL;
}

static void message_is(const char *want)
{
	json_t *j = line();

	cr_assert_not_null(j);
	cr_expect_str_eq(json_string_value(json_object_get(j, "message")), want);
	json_decref(j);
}

TestSuite(log, .init = log_setup, .fini = log_teardown, .timeout = 10);

Test(log, what_comes_from_outside_cannot_forge_a_line)
{
	hf_log_sec(HF_LOG_WARN, "x.y", NULL, "user \"%s\"",
		   "a\n{\"event\":\"forged\"}\x1b[2J\xff\\");
	message_is("user \"a\n{\"event\":\"forged\"}\x1b[2J\xc3\xbf\\\"");
	cr_expect_null(line());
	hf_log_sec(HF_LOG_WARN, "x.y", NULL, "ä \xe2\x80\xae x");
	message_is("ä \xc3\xa2\xc2\x80\xc2\xae x");
}

Test(log, long_text_is_cut_to_a_line)
{
	char text[5000];
	json_t *j;

	memset(text, '\n', sizeof(text));
	text[4999] = '\0';
	hf_log_app(HF_LOG_WARN, "x", NULL, "%s", text);
	j = line();
	cr_assert_not_null(j);
	json_decref(j);
	cr_expect_null(line());
}

Test(log, what_repeats_is_counted)
{
	for (int i = 0; i < 50; i++)
		hf_log_app(HF_LOG_WARN, "often", NULL, "%d", i);
	hf_log_app(HF_LOG_WARN, "other", NULL, "other");
	for (int i = 0; i < 20; i++)
		json_decref(line());
	message_is("other");
	cr_expect_null(line());
	hf_test_clock_advance(&clock_, 10 * HF_S);
	hf_log_app(HF_LOG_WARN, "other", NULL, "later");
	message_is("30 more in 10 s, suppressed");
	message_is("later");
}

Test(log, many_events_do_not_fill_it_up)
{
	char event[16];

	for (int i = 0; i < 200; i++) {
		snprintf(event, sizeof(event), "e%d", i);
		hf_log_app(HF_LOG_WARN, event, NULL, "%d", i);
		json_decref(line());
	}
}

Test(log, a_reader_that_does_not_read_never_blocks_us)
{
	char event[16];
	int lines = 0;
	json_t *j;

	for (int i = 0; i < 5000; i++) {
		snprintf(event, sizeof(event), "e%d", i);
		hf_log_app(HF_LOG_WARN, event, NULL, "%d", i);
	}
	while ((j = line())) {
		lines++;
		json_decref(j);
	}
	cr_assert_lt(lines, 5000);
	hf_log_app(HF_LOG_WARN, "after", NULL, "after");
	j = line();
	cr_assert_not_null(j);
	cr_expect_str_eq(json_string_value(json_object_get(j, "event")), "log.lost");
	json_decref(j);
}

Test(log, level)
{
	hf_log_level(HF_LOG_WARN);
	hf_log_app(HF_LOG_INFO, "x", NULL, "quiet");
	cr_expect_null(line());
	cr_expect_eq(hf_log_level_parse("debug"), HF_LOG_DEBUG);
	cr_expect_eq(hf_log_level_parse("loud"), -EINVAL);
	cr_expect_eq(hf_log_level_parse(NULL), -EINVAL);
}
