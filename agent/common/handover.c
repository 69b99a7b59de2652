// SPDX-License-Identifier: GPL-2.0
/*
 * Files of a state folder for a backup. Bounded memory whatever the folder
 * holds; nothing is ever opened for writing here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handover.h"

struct entry {
	unsigned int place;
	char name[HF_HANDOVER_NAME];
	uint64_t size;
};

/* One more than fits, to know whether there are more. */
struct page {
	size_t count;
	struct entry entry[HF_HANDOVER_PAGE + 1];
};

static int order(unsigned int place, const char *name, const struct entry *b)
{
	if (place != b->place)
		return place < b->place ? -1 : 1;
	return strcmp(name, b->name);
}

/* In its order; the last one falls out of a full page. */
static void page_put(struct page *p, unsigned int place, const char *name, uint64_t size)
{
	size_t i = p->count;

	while (i && order(place, name, &p->entry[i - 1]) < 0)
		i--;
	if (i > HF_HANDOVER_PAGE)
		return;
	if (p->count <= HF_HANDOVER_PAGE)
		p->count++;
	memmove(&p->entry[i + 1], &p->entry[i], (p->count - 1 - i) * sizeof(p->entry[0]));
	p->entry[i] = (struct entry){ .place = place, .size = size };
	strcpy(p->entry[i].name, name);
}

static int entry_take(int dirfd, struct page *p, unsigned int place, const char *name,
		      const struct entry *after, struct hf_err *e)
{
	struct stat st;

	if (strlen(name) >= HF_HANDOVER_NAME)
		return hf_fail(e, -ENAMETOOLONG, "%s: too long a name", name);
	if (after->name[0] && order(place, name, after) <= 0)
		return 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
		return 0;	/* gone, or a socket, a link, a folder: not state */
	page_put(p, place, name, (uint64_t)st.st_size);
	return 0;
}

static int folder_read(int dirfd, hf_handover_fn wanted, const struct entry *after, struct page *p,
		       struct hf_err *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir) {
		ret = hf_fail(e, -errno, "state folder: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (d = readdir(dir))) {
		unsigned int place = d->d_name[0] == '.' ? 0 : wanted(d->d_name);

		if (place)
			ret = entry_take(dirfd, p, place, d->d_name, after, e);
	}
	closedir(dir);
	return ret;
}

static json_t *page_json(const struct page *p)
{
	bool more = p->count > HF_HANDOVER_PAGE;
	json_t *files = json_array();

	for (size_t i = 0; files && i < p->count - more; i++)
		json_array_append_new(files, json_pack("{s:s, s:I}", "name", p->entry[i].name,
						       "size", (json_int_t)p->entry[i].size));
	return json_pack("{s:o, s:b}", "files", files, "more", more);
}

int hf_handover_list(int dirfd, hf_handover_fn wanted, const char *after, json_t **out,
		     struct hf_err *e)
{
	struct page *p = calloc(1, sizeof(*p));
	struct entry last = { 0 };
	int ret;

	if (!p)
		return hf_fail(e, -ENOMEM, "out of memory");
	if (strlen(after) >= sizeof(last.name)) {
		free(p);
		return hf_fail(e, -ENAMETOOLONG, "%s: too long a name", after);
	}
	strcpy(last.name, after);
	last.place = *after ? wanted(after) : 0;
	ret = folder_read(dirfd, wanted, &last, p, e);
	*out = ret ? NULL : page_json(p);
	free(p);
	if (!ret && !*out)
		ret = hf_fail(e, -ENOMEM, "out of memory");
	return ret;
}

int hf_handover_open(int dirfd, hf_handover_fn wanted, const char *name, struct hf_err *e)
{
	struct stat st;
	int fd;

	/* A name of the folder itself: the table knows no other, this makes sure. */
	if (name[0] == '.' || strchr(name, '/') || !wanted(name))
		return hf_fail(e, -ENOENT, "%s: is not in a backup", name);
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return hf_fail(e, -errno, "%s: %s", name, strerror(errno));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return fd;
	close(fd);
	return hf_fail(e, -EPERM, "%s: is no regular file with one name", name);
}
