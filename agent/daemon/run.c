// SPDX-License-Identifier: GPL-2.0
/*
 * From the command line to a parent that runs: configuration, rights, folders,
 * lock, signals. Each failure has an exit status that says whether trying again
 * could help (2, 4 and 6: it could not).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "file.h"
#include "folders.h"
#include "log.h"
#include "rights.h"
#include "run.h"
#include "wipe.h"

#define CONTROL_FD	3

struct options {
	const char *config;
	const char *role;
	const char *attach;
	const char *wanted;
	bool site;
	int array;	/* of --site; -1: all */
	enum hf_sandbox_mode mode;
	bool check;
};

struct signals {
	struct hf_parent *parent;
	struct hf_watch *watch;
	int fd;
};

static void usage(FILE *f)
{
	fputs("Usage: holdfastd [OPTION...]\n\n"
	      "  --config FILE         configuration (default " HF_CONFIG_FILE ")\n"
	      "  --check               read and check it, then exit: 0 good, 2 not\n"
	      "  --attach SOCKET       start no processes: they connect here (units of systemd)\n"
	      "  -x ROLE --attach SOCKET  be one of them\n"
	      "  --wanted ROLE         exit 1 if the configuration does not want this process\n"
	      "  --site [N|all]        set limits of all arrays (of array N), seal them, exit\n"
	      "  --sandbox on|kill|trap  forbidden system calls fail, kill, or are named and kill\n"
	      "  --version             print the version\n"
	      "  --help                this text\n\n"
	      "Exit status: 0 ended in order, 1 failed, 2 configuration, 4 rights, 6 already\n"
	      "running.\n", f);
}

static int sandbox_mode(const char *word)
{
	static const char *const words[] = { "on", "kill", "trap" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(words[i], word))
			return i;
	return -EINVAL;
}

/* Return: whether what is left are the arguments that go with the options. */
static bool rest_read(int argc, char **argv, struct options *o)
{
	if (o->site && optind + 1 == argc) {
		const char *number = argv[optind++];

		if (!strcmp(number, "all"))
			return true;
		o->array = strlen(number) < 4 ? atoi(number) : -1;
		return *number && strspn(number, "0123456789") == strlen(number) && o->array >= 0;
	}
	return optind == argc;
}

/* Return: -1: go on, else the exit status. */
static int options_read(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "attach", required_argument, NULL, 'a' },
		{ "wanted", required_argument, NULL, 'w' },
		{ "site", no_argument, NULL, 'S' },
		{ "sandbox", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int key, mode;

	*o = (struct options){ .config = HF_CONFIG_FILE, .array = -1 };
	while ((key = getopt_long(argc, argv, "x:", longs, NULL)) != -1) {
		switch (key) {
		case 'c':
			o->config = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'a':
			o->attach = optarg;
			break;
		case 'w':
			o->wanted = optarg;
			break;
		case 'S':
			o->site = true;
			break;
		case 's':
			mode = sandbox_mode(optarg);
			if (mode < 0) {
				usage(stderr);
				return HF_EXIT_CONFIG;
			}
			o->mode = (enum hf_sandbox_mode)mode;
			break;
		case 'x':
			o->role = optarg;
			break;
		case 'V':
			puts("holdfastd " HF_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return HF_EXIT_CONFIG;
		}
	}
	if (rest_read(argc, argv, o))
		return -1;
	usage(stderr);
	return HF_EXIT_CONFIG;
}

/* A process that the parent has started, or that finds the parent by its socket. */
static int run_role(const struct options *o, const struct hf_role_ops *const *roles)
{
	int role = hf_proc_parse(o->role);
	char name[16];
	struct stat st;

	if (role <= HF_PROC_PARENT || !roles[role] ||
	    (!o->attach && (fstat(CONTROL_FD, &st) || !S_ISSOCK(st.st_mode)))) {
		fputs("holdfastd: -x is for holdfastd itself\n", stderr);
		return HF_EXIT_CONFIG;
	}
	snprintf(name, sizeof(name), "holdfast-%s", o->role);
	prctl(PR_SET_NAME, name);
	return hf_service_run(roles[role], o->mode, o->attach);
}

/* A configuration, and the text that it was read from. */
struct source {
	struct hf_config *config;
	char *text;
	size_t len;
};

/*
 * Where the parent is a user of its own, the file that it has replaced (config.apply) belongs to
 * that user, as its folder does; others (--site, --wanted) read it all the same.
 */
static int text_read(const char *file, struct source *s, struct hf_err *e)
{
	const struct passwd *pw = getpwnam(HF_PARENT_USER);
	char *folder = strdup(file), *name = strdup(file);
	int ret = folder && name ? 0 : -ENOMEM, dirfd = -1;
	struct stat st;

	if (!ret)
		dirfd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!ret && dirfd >= 0 && pw && !fstat(dirfd, &st) && st.st_uid == pw->pw_uid)
		ret = hf_file_read(dirfd, basename(name), HF_CONFIG_BYTES_MAX, &s->text, &s->len,
				   e);
	else if (!ret)
		ret = hf_file_read(AT_FDCWD, file, HF_CONFIG_BYTES_MAX, &s->text, &s->len, e);
	if (dirfd >= 0)
		close(dirfd);
	free(folder);
	free(name);
	return ret;
}

static int config_read(const char *file, char *const *env, struct source *s)
{
	struct hf_config_errors errors = { 0 };
	struct hf_err e = { "" };
	char line[HF_ERR_LEN * 2];
	int ret = file[0] == '/' ? 0 : hf_fail(&e, -EINVAL, "%s: must be an absolute path", file);

	if (!ret)
		ret = text_read(file, s, &e);
	if (ret) {
		fprintf(stderr, "holdfastd: %s\n", e.text);
		return ret;
	}
	ret = hf_config_parse(s->text, s->len, file, env, &s->config, &errors);
	for (unsigned int i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n",
			hf_config_error_text(&errors.e[i], file, line, sizeof(line)));
	if (errors.more)
		fprintf(stderr, "%s: and %u more errors\n", file, errors.more);
	return ret;
}

/* Nothing of where we were started from stays with us. */
static int detach(struct hf_err *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || chdir("/"))
		return hf_fail(e, -errno, "/dev/null: %s", strerror(errno));
	close(null);
	umask(0077);
	/* Descriptors 1 and 2 must not become a device or a socket of ours by accident. */
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return hf_fail(e, -EBADF, "standard streams");
	return 0;
}

/* Root's lock, which a restore holds (agent/ctl/backup.c). Return: 0, -errno. */
static int restore_excluded(const char *run, struct hf_err *e)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/holdfastd.lock", run) >= (int)sizeof(path))
		return hf_fail(e, -ENAMETOOLONG, "%s: too long", run);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : hf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_SH | LOCK_NB)) {
		int ret = errno == EWOULDBLOCK ? -EBUSY : -errno;

		close(fd);
		return hf_fail(e, ret, "%s: %s", path, ret == -EBUSY ?
			       "a backup is being restored, or another holdfastd is running" :
			       strerror(-ret));
	}
	return 0;	/* held, until we end */
}

/*
 * Systemd has made the folders; ours is where the socket is to be. Our own lock first: a restore that
 * has not seen it has root's, and we see that. Return: the lock, or -errno.
 */
static int settle_attached(const struct hf_config *config, const char *socket, struct hf_err *e)
{
	json_t *part = hf_config_part(config, HF_PROC_PARENT);
	char *copy = strdup(socket);
	int lock = part && copy ? hf_folders_lock(dirname(copy), e) : -ENOMEM, ret;

	if (lock >= 0) {
		ret = restore_excluded(hf_config_text(part, "paths.run"), e);
		if (ret) {
			close(lock);
			lock = ret;
		}
	}
	free(copy);
	json_decref(part);
	return lock;
}

/* Return: the lock, or -errno. */
static int settle(const struct hf_config *config, struct hf_err *e)
{
	json_t *part = hf_config_part(config, HF_PROC_PARENT);
	int ret = part ? hf_folders_make(hf_config_text(part, "paths.state"),
					 hf_config_text(part, "paths.run"), e) : -ENOMEM;

	if (!ret)
		ret = hf_rights_settled(e);
	if (!ret)
		ret = hf_folders_lock(hf_config_text(part, "paths.run"), e);
	json_decref(part);
	return ret;
}

/* What the kernel says of who sent it: nobody else does. */
static struct hf_actor signal_actor(const struct signalfd_siginfo *info)
{
	struct hf_actor a = hf_actor_self;

	if (info->ssi_code > 0)		/* the kernel itself: the terminal has gone */
		return a;
	a.via = HF_VIA_LOCAL;
	a.proof = HF_PROOF_PEER;
	a.uid = info->ssi_uid;
	a.pid = (int32_t)info->ssi_pid;
	snprintf(a.name, sizeof(a.name), "uid:%u", a.uid);
	return a;
}

static void on_signal(void *arg, uint32_t events)
{
	struct signals *s = arg;
	struct signalfd_siginfo info;
	struct hf_actor by;

	(void)events;
	while (read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			hf_reap(s->parent);
			break;
		case SIGHUP:
			by = signal_actor(&info);
			hf_parent_hup(s->parent, &by);
			break;
		default:
			hf_parent_stop(s->parent);
		}
	}
}

static int signals_open(struct signals *s, struct hf_loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->fd < 0 ? -errno : hf_watch_new(&s->watch, loop, s->fd, EPOLLIN, on_signal, s);
}

static int run_parent(const struct options *o, const struct hf_parent_ops *ops,
		      struct source *source)
{
	struct hf_parent_env env = {
		.random = &hf_system_random,
		.config_file = o->config,
		.environment = environ,
		.program = "/proc/self/exe",
		.attach = o->attach,
		.mode = o->mode,
		.ops = ops,
	};
	struct signals s = { .fd = -1 };
	int ret = hf_loop_new(&env.loop, &hf_system_clock);

	if (!ret)
		ret = signals_open(&s, env.loop);
	if (!ret)
		ret = hf_parent_new(&s.parent, &env, source->config, source->text, source->len);
	if (!ret) {
		source->config = NULL;	/* the parent's now */
		hf_parent_start(s.parent);
		ret = hf_loop_run(env.loop);
	}
	if (ret < 0)
		hf_log_app(HF_LOG_ERROR, "agent.loop", NULL, "%s", strerror(-ret));
	hf_parent_free(s.parent);
	hf_watch_free(s.watch);
	if (s.fd >= 0)
		close(s.fd);
	hf_loop_free(env.loop);
	return ret < 0 ? EXIT_FAILURE : ret;
}

/* What is done once, without a parent. Return: exit status. */
static int run_once(const struct options *o, const struct hf_parent_ops *ops,
		    const struct source *source)
{
	struct hf_err e = { "" };
	json_t *part;
	int ret;

	if (o->wanted)
		return hf_role_wanted(source->config, (enum hf_proc)hf_proc_parse(o->wanted)) ?
			       0 : EXIT_FAILURE;
	hf_log_open(HF_PROC_KEEPER, &hf_system_clock);
	part = hf_config_part(source->config, HF_PROC_KEEPER);
	ret = part && ops->site ? ops->site(part, o->array, &e) : hf_fail(&e, -ENOMEM, "no configuration");
	json_decref(part);
	if (ret)
		fprintf(stderr, "holdfastd: %s\n", e.text);
	return ret ? EXIT_FAILURE : 0;
}

static int run(const struct options *o, const struct hf_parent_ops *ops, struct source *source)
{
	struct hf_err e = { "" };
	int lock = -1, ret;

	if (o->wanted && hf_proc_parse(o->wanted) <= HF_PROC_PARENT) {
		fprintf(stderr, "holdfastd: --wanted %s: no such process\n", o->wanted);
		return HF_EXIT_CONFIG;
	}
	/* --wanted: who was left out for a broken file would not come when it is mended. */
	if (config_read(o->config, environ, source))
		return o->wanted ? 0 : HF_EXIT_CONFIG;
	if (o->check)
		return 0;
	if (o->wanted || o->site)
		return run_once(o, ops, source);
	hf_log_open(HF_PROC_PARENT, &hf_system_clock);
	ret = detach(&e);
	if (!ret)
		ret = o->attach ? hf_rights_none(&e) : hf_rights_parent(&e);
	if (!ret)
		lock = o->attach ? settle_attached(source->config, o->attach, &e) :
				   settle(source->config, &e);
	if (ret || lock < 0) {
		fprintf(stderr, "holdfastd: %s\n", e.text);
		return lock == -EBUSY ? HF_EXIT_RUNNING : HF_EXIT_RIGHTS;
	}
	ret = run_parent(o, ops, source);
	close(lock);
	return ret;
}

int hf_run(int argc, char **argv, const struct hf_role_ops *const *roles,
	   const struct hf_parent_ops *ops)
{
	struct source source = { NULL };
	struct options o;
	int ret = options_read(argc, argv, &o);

	if (ret >= 0)
		return ret;
	if (o.role)
		return run_role(&o, roles);
	hf_wipe_json();
	ret = run(&o, ops, &source);
	hf_config_free(source.config);
	free(source.text);
	return ret;
}
