// SPDX-License-Identifier: GPL-2.0
/*
 * By what holdfastctl is known to the agent, and where it asks people for
 * secrets. A secret is never an argument, an environment variable or output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "client.h"

#define SESSION_MAX	(1024 + CTL_COOKIE_MAX)

ssize_t ctl_private_read(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
		fprintf(stderr, "holdfastctl: %s: must be a file of yours with mode 0600\n", path);
		close(fd);
		return -EPERM;
	}
	n = read(fd, buf, len - 1);
	close(fd);
	if (n < 0 || (size_t)n == len - 1) {
		fprintf(stderr, "holdfastctl: %s: unreadable or longer than %zu bytes\n", path, len - 2);
		return -EFBIG;
	}
	buf[n] = '\0';
	return n;
}

/* $XDG_RUNTIME_DIR/holdfast; NULL: there is no place that only this user can reach. */
static const char *session_folder(void)
{
	static char path[256];
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (!dir || dir[0] != '/') {
		snprintf(path, sizeof(path), "/run/user/%u", geteuid());
		dir = NULL;
	}
	if (dir && snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path) - 32)
		return NULL;
	if (lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return NULL;
	strcat(path, "/holdfast");
	return path;
}

static bool session_path(char *path, size_t len)
{
	const char *folder = session_folder();

	return folder && snprintf(path, len, "%s/session", folder) < (int)len;
}

/* The file has two lines: the agent that the session is with, and the cookie. */
static int session_read(struct ctl *c, char *text)
{
	char path[300], buf[SESSION_MAX], *cookie, *end;
	ssize_t n = -ENOENT;

	if (session_path(path, sizeof(path)))
		n = ctl_private_read(path, buf, sizeof(buf));
	if (n == -ENOENT)
		return CTL_CRED_NONE;
	if (n < 0)
		return -1;
	cookie = strchr(buf, '\n');
	if (!cookie)
		return CTL_CRED_NONE;
	*cookie++ = '\0';
	end = strchr(cookie, '\n');
	if (!end || end - cookie >= CTL_COOKIE_MAX || strcmp(buf, ctl_agent_name(c))) {
		explicit_bzero(buf, sizeof(buf));
		return CTL_CRED_NONE;	/* a session with another agent is not this one's business */
	}
	*end = '\0';
	strcpy(text, cookie);
	explicit_bzero(buf, sizeof(buf));
	return CTL_CRED_COOKIE;
}

int ctl_credential(struct ctl *c, char *text)
{
	const char *file = getenv("HOLDFAST_TOKEN_FILE");
	ssize_t n;

	if (!file || !file[0])
		return session_read(c, text);
	n = ctl_private_read(file, text, CTL_TOKEN_MAX);
	if (n == -ENOENT || n == -EACCES || n == -ELOOP)
		ctl_fail((int)n, "HOLDFAST_TOKEN_FILE: %s", file);
	if (n < 0)
		return -1;
	text[strcspn(text, "\r\n")] = '\0';
	return CTL_CRED_TOKEN;
}

static int session_write(const char *path, const char *text)
{
	char tmp[320];
	int fd, ret = 0;

	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	fd = mkstemp(tmp);	/* mode 0600 */
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -EIO;
	close(fd);
	if (!ret && rename(tmp, path))
		ret = -errno;
	if (ret)
		unlink(tmp);
	return ret;
}

int ctl_session_keep(struct ctl *c, const char *cookie)
{
	char path[300], text[SESSION_MAX];
	const char *value = strchr(cookie, '=');
	const char *folder = session_folder();
	int ret;

	if (!value || !value[1]) {
		if (session_path(path, sizeof(path)) && ctl_credential(c, text) == CTL_CRED_COOKIE)
			unlink(path);
		explicit_bzero(text, sizeof(text));
		return CTL_OK;
	}
	if (!folder || !session_path(path, sizeof(path))) {
		fprintf(stderr, "holdfastctl: XDG_RUNTIME_DIR must name a folder of yours with mode 0700 to keep the session in\n");
		return CTL_FAILED;
	}
	if (mkdir(folder, 0700) && errno != EEXIST)
		return ctl_fail(-errno, "%s", folder);
	snprintf(text, sizeof(text), "%s\n%s\n", ctl_agent_name(c), cookie);
	ret = session_write(path, text);
	explicit_bzero(text, sizeof(text));
	return ret ? ctl_fail(ret, "%s", path) : CTL_OK;
}

bool ctl_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* Byte by byte, so that what follows the line stays in the pipe for the next question. */
static int line_read(int fd, char *buf, size_t len)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, buf + n, 1)) == 1 && buf[n] != '\n')
		if (++n == len - 1) {
			buf[n] = '\0';
			return -EFBIG;
		}
	buf[n] = '\0';
	if (n && buf[n - 1] == '\r')
		buf[--n] = '\0';
	return got < 0 ? -errno : !n && !got ? -ENODATA : 0;
}

static int hidden_read(const char *prompt, char *buf, size_t len)
{
	struct termios was, quiet;
	int ret;

	if (tcgetattr(STDIN_FILENO, &was))
		return -errno;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	/* A signal here would leave the terminal without echo. */
	quiet.c_lflag &= ~(tcflag_t)ISIG;
	/* Before the prompt: what is typed ahead of it is thrown away, not shown. */
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet))
		return -errno;
	fputs(prompt, stderr);
	ret = line_read(STDIN_FILENO, buf, len);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	if (!ret && strchr(buf, was.c_cc[VINTR]))
		ret = -EINTR;
	return ret;
}

static int file_read(const char *file, char *buf, size_t len, bool whole)
{
	int fd = file && strcmp(file, "-") ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	ssize_t got = 0;
	size_t n = 0;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (!whole) {
		ret = line_read(fd, buf, len);
	} else {
		while (n < len && (got = read(fd, buf + n, len - n)) > 0)
			n += (size_t)got;
		ret = got < 0 ? -errno : n == len ? -EFBIG : !n ? -ENODATA : 0;
		buf[n < len ? n : len - 1] = '\0';
		if (!ret && strlen(buf) != n)
			ret = -EILSEQ;	/* a NUL byte: not text */
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}

int ctl_secret(const char *prompt, const char *file, bool twice, char buf[CTL_SECRET_MAX])
{
	bool ask = ctl_terminal() && (!file || !strcmp(file, "-"));
	char again[CTL_SECRET_MAX];
	int ret = ask ? hidden_read(prompt, buf, CTL_SECRET_MAX) :
			file_read(file, buf, CTL_SECRET_MAX, false);

	if (!ret && ask && twice) {
		ret = hidden_read("The same again: ", again, sizeof(again));
		if (!ret && strcmp(buf, again)) {
			fprintf(stderr, "holdfastctl: the two are not the same\n");
			ret = -EAGAIN;
		}
		explicit_bzero(again, sizeof(again));
		if (ret == -EAGAIN) {
			explicit_bzero(buf, CTL_SECRET_MAX);
			return CTL_FAILED;
		}
	}
	if (!ret)
		return CTL_OK;
	explicit_bzero(buf, CTL_SECRET_MAX);
	return ctl_fail(ret, "%s%s", prompt, file ? file : "standard input");
}

int ctl_secret_whole(const char *file, char buf[CTL_SECRET_MAX])
{
	int ret;

	if (ctl_terminal() && (!file || !strcmp(file, "-")))
		return ctl_secret("Value: ", NULL, true, buf);
	ret = file_read(file, buf, CTL_SECRET_MAX, true);
	if (!ret)
		return CTL_OK;
	explicit_bzero(buf, CTL_SECRET_MAX);
	return ctl_fail(ret, "%s", file ? file : "standard input");
}

int ctl_ask(const char *prompt, char *buf, size_t len)
{
	int ret;

	if (!ctl_terminal())
		return ctl_fail(-ENOTTY, "%s", prompt);
	fputs(prompt, stderr);
	ret = line_read(STDIN_FILENO, buf, len);
	return ret ? ctl_fail(ret, "%s", prompt) : CTL_OK;
}
