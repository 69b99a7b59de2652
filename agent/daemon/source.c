// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the configuration's file before there is a parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "sandbox.h"
#include "source.h"

/*
 * Where the parent is a user of its own, the file that it has replaced (config.apply) belongs to
 * that user, as its folder does; others (--site, --wanted) read it all the same.
 */
static int text_read(const char *file, struct hf_source *s, struct hf_err *e)
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

int hf_source_read(const char *file, char *const *env, struct hf_source *s)
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

void hf_source_free(struct hf_source *s)
{
	hf_config_free(s->config);
	free(s->text);
}
