// SPDX-License-Identifier: GPL-2.0
/*
 * From the command line to a parent that runs (life.c), or to one of its
 * processes. Each failure has an exit status that says whether trying again could
 * help (2, 4 and 6: it could not).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "folders.h"
#include "life.h"
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
	bool site, standby;
	int array;	/* of --site; -1: all */
	enum hf_sandbox_mode mode;
	bool check;
};

static void usage(FILE *f)
{
	fputs("Usage: holdfastd [OPTION...]\n\n"
	      "  --config FILE         configuration (default " HF_CONFIG_FILE ")\n"
	      "  --check               read and check it, then exit: 0 good, 2 not\n"
	      "  --standby             wait until nobody is in charge on this host, then be it\n"
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
		{ "standby", no_argument, NULL, 'b' },
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
		case 'b':
			o->standby = true;
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
	if (rest_read(argc, argv, o) &&
	    !(o->standby && (o->attach || o->role || o->wanted || o->site || o->check)))
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

static int run_parent(struct hf_life *l, const struct options *o, const struct hf_parent_ops *ops,
		      struct hf_source *source)
{
	struct hf_parent_env env = {
		.loop = l->loop,
		.random = &hf_system_random,
		.config_file = o->config,
		.environment = environ,
		.program = "/proc/self/exe",
		.attach = o->attach,
		.mode = o->mode,
		.ops = ops,
		.lock = o->attach ? 0 : l->lock,
		.primary = l->primary,
		.takeover = &l->takeover,
	};
	int ret = hf_parent_new(&l->parent, &env, source->config, source->text, source->len);

	if (!ret) {
		source->config = NULL;	/* the parent's now */
		hf_parent_start(l->parent);
		ret = hf_loop_run(env.loop);
	}
	if (ret < 0)
		hf_log_app(HF_LOG_ERROR, "agent.loop", NULL, "%s", strerror(-ret));
	hf_parent_free(l->parent);
	return ret < 0 ? EXIT_FAILURE : ret;
}

/* What is done once, without a parent. Return: exit status. */
static int run_once(const struct options *o, const struct hf_parent_ops *ops,
		    const struct hf_source *source)
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

/* Of one that has not got to be a parent. */
static int exit_status(int ret)
{
	switch (ret) {
	case -ECANCELED:
		return 0;
	case -EBUSY:
		return HF_EXIT_RUNNING;
	case -EINVAL:
		return HF_EXIT_CONFIG;
	default:
		return HF_EXIT_RIGHTS;
	}
}

static int run(const struct options *o, const struct hf_parent_ops *ops, struct hf_source *source)
{
	struct hf_life l = { HF_LIFE_NONE, .config = o->config, .standby = o->standby };
	struct hf_err e = { "" };
	int ret;

	if (o->wanted && hf_proc_parse(o->wanted) <= HF_PROC_PARENT) {
		fprintf(stderr, "holdfastd: --wanted %s: no such process\n", o->wanted);
		return HF_EXIT_CONFIG;
	}
	/* --wanted: who was left out for a broken file would not come when it is mended. */
	if (hf_source_read(o->config, environ, source))
		return o->wanted ? 0 : HF_EXIT_CONFIG;
	if (o->check)
		return 0;
	if (o->wanted || o->site)
		return run_once(o, ops, source);
	hf_log_open(HF_PROC_PARENT, &hf_system_clock);
	ret = detach(&e);
	if (!ret)
		ret = hf_life_begin(&l, &e);
	if (!ret)
		ret = o->attach ? hf_rights_none(&e) : hf_rights_parent(&e);
	if (!ret && o->attach) {
		l.lock = settle_attached(source->config, o->attach, &e);
		ret = l.lock;
	} else if (!ret) {
		ret = hf_life_settle(&l, source, &e);
	}
	if (ret < 0 && ret != -ECANCELED)
		fprintf(stderr, "holdfastd: %s\n", e.text);
	ret = ret < 0 ? exit_status(ret) : run_parent(&l, o, ops, source);
	hf_life_end(&l);
	return ret;
}

int hf_run(int argc, char **argv, const struct hf_role_ops *const *roles,
	   const struct hf_parent_ops *ops)
{
	struct hf_source source = { NULL };
	struct options o;
	int ret = options_read(argc, argv, &o);

	if (ret >= 0)
		return ret;
	if (o.role)
		return run_role(&o, roles);
	hf_wipe_json();
	ret = run(&o, ops, &source);
	hf_source_free(&source);
	return ret;
}
