// SPDX-License-Identifier: GPL-2.0
/*
 * holdfastctl backup: verify an archive, and put one back while the agent does
 * not run. Creating one is an operation of the agent. Nothing is touched before
 * all of the archive has been verified; the state before is kept beside the new one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "config.h"
#include "ctl.h"
#include "file.h"
#include "sandbox.h"

#define STATE "/var/lib/holdfast"
#define RUN "/run/holdfast"
#define VERIFIER "holdfast-audit-verify"
#define TORN_TAIL 2 /* exit status of the verifier: the copy ends within a record */

extern char **environ;

const struct ctl_option backup_options[] = {
	{ "key", 'k', "FILE",
	  "public key that must have signed (default: backup.pub of this host's state)" },
	{ "state", 600, "DIR", "state folder (default " STATE ")" },
	{ "run", 601, "DIR", "folder of the agent's lock (default " RUN ")" },
	{ "config", 602, "FILE", "configuration to be replaced (default " HF_CONFIG_FILE ")" },
	{ NULL, 0, NULL, NULL },
};

int backup_read(struct ctl *c, int argc, char **argv)
{
	struct ctl_backup *a = &c->req.backup;
	int key;

	*a = (struct ctl_backup){ .state = STATE, .run = RUN, .config = HF_CONFIG_FILE };
	while ((key = ctl_option_next(c, argc, argv)) != -1) {
		switch (key) {
		case 'k':
			a->key = optarg;
			break;
		case 600:
			a->state = optarg;
			break;
		case 601:
			a->run = optarg;
			break;
		case 602:
			a->config = optarg;
			break;
		default:
			return ctl_option_exit(c);
		}
	}
	if (argc - optind != 1)
		return ctl_usage(c, "one archive is wanted");
	a->archive = argv[optind];
	return -1;
}

static int fail(const struct hf_err *e)
{
	fprintf(stderr, "holdfastctl: %s\n", e->text);
	return CTL_FAILED;
}

/* The public key as 64 hex digits. 0, or an exit code after saying why. */
static int key_read(const struct ctl_backup *a, uint8_t pub[HF_ED25519_BYTES])
{
	char path[PATH_MAX], *text = NULL;
	struct hf_err e = { "" };
	int ret, folder = AT_FDCWD;
	size_t len = 0;

	snprintf(path, sizeof(path), "%s%s", a->key ? a->key : a->state, a->key ? "" : "/config");
	if (!a->key)
		folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0 && folder != AT_FDCWD)
		return ctl_fail(-errno, "%s", path);
	/* Whose folder it is, he has made the key (root, or the parent's own user). */
	ret = hf_file_read(folder, a->key ? path : "backup.pub", 2 * HF_ED25519_BYTES + 1, &text,
			   &len, &e);
	if (folder >= 0)
		close(folder);
	if (ret)
		return fail(&e);
	ret = len < 2 * HF_ED25519_BYTES;
	for (size_t i = 0; i < HF_ED25519_BYTES && !ret; i++) {
		unsigned int byte = 0;

		ret = sscanf(text + 2 * i, "%2x", &byte) != 1;
		pub[i] = (uint8_t)byte;
	}
	free(text);
	if (!ret)
		return 0;
	fprintf(stderr, "holdfastctl: %s: is no public key (64 hex digits)\n", path);
	return CTL_FAILED;
}

static int archive_open(const struct ctl_backup *a)
{
	int fd = open(a->archive, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		ctl_fail(-errno, "%s", a->archive);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		ctl_fail(-EINVAL, "%s", a->archive);
		return -1;
	}
	return fd;
}

static int manifest_show(const struct ctl *c, json_t *manifest, const char *what)
{
	char when[64];

	if (c->json)
		return ctl_json_print(manifest, true);
	ctl_time((uint64_t)hf_config_int_or(manifest, "t_ns", 0), when, sizeof(when));
	printf("%s: of %s, %s, %zu files, audit log up to record %lld or later\n", what,
	       hf_config_text_or(manifest, "host", "?"), when,
	       json_array_size(json_object_get(manifest, "members")),
	       (long long)hf_config_int_or(manifest, "audit_seq", 0));
	json_decref(manifest);
	return CTL_OK;
}

int cmd_backup_verify(struct ctl *c)
{
	const struct ctl_backup *a = &c->req.backup;
	uint8_t pub[HF_ED25519_BYTES];
	struct hf_err e = { "" };
	json_t *manifest;
	int ret = key_read(a, pub), fd;

	if (ret)
		return ret;
	fd = archive_open(a);
	if (fd < 0)
		return CTL_FAILED;
	ret = hf_archive_verify(fd, pub, &manifest, &e);
	close(fd);
	return ret ? fail(&e) : manifest_show(c, manifest, "good");
}

/* ------------------------------------------------------------------ restore */

struct restore {
	const struct ctl_backup *args;
	char fresh[PATH_MAX], before[PATH_MAX];
	int freshfd;
	json_t *manifest;
};

/* Root's lock, for a parent that is root, and for one that is not to see. Return: file, -errno. */
static int lock_make(const char *run, const char *path)
{
	const struct passwd *pw = getpwnam(HF_PARENT_USER);
	int fd;

	if (!mkdir(run, 0755) && chmod(run, 0755))
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* To nobody else: whoever can open it can lock it, and nothing would start any more. */
	if (fd >= 0 && pw && (fchown(fd, 0, pw->pw_gid) || fchmod(fd, 0640))) {
		close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

static int lock_take(int fd, const char *path)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return ctl_fail(-errno, "%s", path);
	fprintf(stderr, "holdfastctl: holdfastd is running (or another restore); stop it first "
			"(systemctl stop holdfastd)\n");
	return CTL_FAILED;
}

/*
 * Both locks are ours until we exit. Root's first, and made if it is not there: a parent that is a
 * unit takes its own, whose folder comes and goes with it, and then looks at root's (run.c).
 */
static int agent_stopped(const struct ctl_backup *a)
{
	char path[PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/holdfastd.lock", a->run);
	fd = lock_make(a->run, path);
	ret = fd < 0 ? ctl_fail(fd, "%s", path) : lock_take(fd, path);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/parent/holdfastd.lock", a->run);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : ctl_fail(-errno, "%s", path);
	return lock_take(fd, path);
}

/* The separate verifier on the log as it was unpacked. */
static int audit_verify(const struct restore *r)
{
	char path[PATH_MAX], dir[PATH_MAX + 8];
	char *argv[] = { (char *)VERIFIER, dir, NULL };
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(VERIFIER) - 1);
	int status, err;
	struct stat st;
	pid_t pid;

	if (n <= 0)
		return ctl_fail(-errno, "/proc/self/exe");
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, VERIFIER);
	snprintf(dir, sizeof(dir), "%s/audit", r->fresh);
	if (stat(dir, &st))
		return ctl_fail(-errno, "the archive has no audit log");
	err = posix_spawn(&pid, path, NULL, NULL, argv, environ);
	if (err)
		return ctl_fail(-err, "%s", path);
	if (waitpid(pid, &status, 0) != pid)
		return ctl_fail(-errno, "%s", path);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == TORN_TAIL))
		return 0;
	fprintf(stderr,
		"holdfastctl: the audit log in the archive is not sound (%s: %d); nothing is restored\n",
		VERIFIER, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return CTL_FAILED;
}

/* Gives one folder and its files to the user of its process. */
static int folder_give(const struct restore *r, const char *folder)
{
	const struct passwd *pw;
	const struct dirent *d;
	char user[32];
	DIR *dir;
	int fd, ret = 0;

	snprintf(user, sizeof(user), "holdfast-%s", folder);
	pw = strcmp(folder, "config") ? getpwnam(user) : getpwuid(0);
	if (!pw) {
		fprintf(stderr, "holdfastctl: user %s does not exist (systemd-sysusers makes it)\n",
			user);
		return CTL_FAILED;
	}
	if (mkdirat(r->freshfd, folder, 0700) && errno != EEXIST)
		return ctl_fail(-errno, "%s", folder);
	fd = openat(r->freshfd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return ctl_fail(-errno, "%s", folder);
	while (!ret && (d = readdir(dir)))
		if (strcmp(d->d_name, ".."))
			ret = fchownat(fd, d->d_name, pw->pw_uid, pw->pw_gid, AT_SYMLINK_NOFOLLOW);
	if (ret || fsync(fd))
		ret = ctl_fail(-errno, "%s", folder);
	closedir(dir);
	return ret;
}

/* A small file of the state before, whoever owns it. Return: 0, also if it is not there; -errno. */
static int key_carry(int old, int fresh, const char *name, mode_t mode)
{
	int fd = openat(old, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), ret = 0;
	struct hf_err e = { "" };
	char data[256];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	n = read(fd, data, sizeof(data));
	if (n < 0 || n == sizeof(data))
		ret = n < 0 ? -errno : -EFBIG;
	else
		ret = hf_file_replace(fresh, name, data, (size_t)n, mode, &e);
	explicit_bzero(data, sizeof(data));
	close(fd);
	return ret;
}

/* Keys are in no archive; a host that has them goes on with its own. */
static int keys_carry(const struct restore *r)
{
	static const struct {
		const char *name;
		mode_t mode;
	} keys[] = {
		{ "config/backup.key", 0600 },
		{ "config/backup.pub", 0644 },
		{ "auth/master.key", 0600 },
	};
	int old = open(r->args->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (old < 0)
		return errno == ENOENT ? 0 : ctl_fail(-errno, "%s", r->args->state);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !ret; i++) {
		ret = key_carry(old, r->freshfd, keys[i].name, keys[i].mode);
		if (ret)
			ctl_fail(ret, "%s", keys[i].name);
	}
	close(old);
	return ret ? CTL_FAILED : 0;
}

/* What the agent makes a record of at its next start. */
static int note_write(const struct restore *r)
{
	json_t *note = json_pack("{s:s, s:O, s:O, s:i}", "archive", r->args->archive, "host",
				 json_object_get(r->manifest, "host"), "t_ns",
				 json_object_get(r->manifest, "t_ns"), "uid", (int)getuid());
	char *text = note ? json_dumps(note, JSON_INDENT(1)) : NULL;
	struct hf_err e = { "" };
	int ret = text ? hf_file_replace(r->freshfd, "config/restored", text, strlen(text), 0600,
					 &e) :
			 -ENOMEM;

	free(text);
	json_decref(note);
	return ret ? fail(&e) : 0;
}

/* The newest version of the configuration in the archive becomes the file in force. */
static int config_restore(const struct restore *r)
{
	const char *newest = NULL;
	char folder[PATH_MAX], name[PATH_MAX], *text = NULL;
	struct hf_err e = { "" };
	const json_t *m;
	size_t i, len;
	int dir, ret;

	json_array_foreach(json_object_get(r->manifest, "members"), i, m)
	{
		const char *n = hf_config_text(m, "name");

		if (!strncmp(n, "config/", 7) && strstr(n, ".yaml") &&
		    (!newest || strcmp(n, newest) > 0))
			newest = n;
	}
	if (!newest)
		return 0;
	snprintf(folder, sizeof(folder), "%s", r->args->config);
	snprintf(name, sizeof(name), "%s", r->args->config);
	dir = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return ctl_fail(-errno, "%s", folder);
	ret = hf_file_read(r->freshfd, newest, HF_CONFIG_BYTES_MAX, &text, &len, &e);
	if (!ret)
		ret = hf_file_replace(dir, basename(name), text, len, 0644, &e);
	free(text);
	close(dir);
	return ret ? fail(&e) : 0;
}

/* A new folder beside the state, so that a rename puts it in its place. */
static int fresh_make(struct restore *r)
{
	snprintf(r->fresh, sizeof(r->fresh), "%s.restore-XXXXXX", r->args->state);
	if (!mkdtemp(r->fresh))
		return ctl_fail(-errno, "%s", r->fresh);
	r->freshfd = open(r->fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r->freshfd < 0 ? ctl_fail(-errno, "%s", r->fresh) : 0;
}

static int swap(struct restore *r)
{
	char parent[PATH_MAX];
	int dir;

	snprintf(r->before, sizeof(r->before), "%s.before-%lld", r->args->state,
		 (long long)time(NULL));
	if (fchmod(r->freshfd, 0755) || fsync(r->freshfd))
		return ctl_fail(-errno, "%s", r->fresh);
	if (rename(r->args->state, r->before) && errno != ENOENT)
		return ctl_fail(-errno, "%s", r->args->state);
	if (rename(r->fresh, r->args->state))
		return ctl_fail(-errno, "%s (the state before is in %s)", r->args->state,
				r->before);
	snprintf(parent, sizeof(parent), "%s", r->args->state);
	dir = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) || close(dir))
		return ctl_fail(-errno, "%s", parent);
	return 0;
}

static int restore_into(struct restore *r, int fd, const uint8_t *pub)
{
	static const char *const folders[] = { "config", "auth", "audit", "keeper" };
	struct hf_err e = { "" };
	int ret;

	if (hf_archive_extract(fd, pub, r->freshfd, &r->manifest, &e))
		return fail(&e);
	ret = audit_verify(r);
	if (!ret)
		ret = keys_carry(r);
	if (!ret)
		ret = note_write(r);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && !ret; i++)
		ret = folder_give(r, folders[i]);
	return ret;
}

/* Half a restore is nobody's: only what this program has just made is removed. */
static void fresh_remove(const struct restore *r)
{
	char *argv[] = { (char *)"rm", (char *)"-r",	 (char *)"--one-file-system",
			 (char *)"--", (char *)r->fresh, NULL };
	pid_t pid;

	if (*r->fresh && !posix_spawn(&pid, "/bin/rm", NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

int cmd_backup_restore(struct ctl *c)
{
	const struct ctl_backup *a = &c->req.backup;
	uint8_t pub[HF_ED25519_BYTES];
	struct restore r = { .args = a, .freshfd = -1 };
	int ret, fd = -1;

	if (geteuid()) {
		fprintf(stderr, "holdfastctl: only root can restore a backup\n");
		return CTL_DENIED;
	}
	ret = agent_stopped(a);
	if (!ret)
		ret = key_read(a, pub);
	if (!ret && (fd = archive_open(a)) < 0)
		ret = CTL_FAILED;
	if (!ret)
		ret = fresh_make(&r);
	if (!ret)
		ret = restore_into(&r, fd, pub);
	if (ret)
		fresh_remove(&r);
	else
		ret = swap(&r);
	if (!ret)
		ret = config_restore(&r);
	if (r.freshfd >= 0)
		close(r.freshfd);
	if (fd >= 0)
		close(fd);
	if (ret) {
		json_decref(r.manifest);
		return ret;
	}
	if (!c->json)
		printf("the state before is in %s; arrays are silent until somebody arms them\n",
		       r.before);
	return manifest_show(c, r.manifest, "restored");
}
