// SPDX-License-Identifier: GPL-2.0
/* Names of processes (comm.h). Nothing about arrays in here. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "comm.h"
#include "field.h"
#include "text.h"

void hf_comm_clean(char to[HF_COMM_LEN], const char *from, size_t len)
{
	size_t n = 0, used;

	len = strnlen(from, len < HF_COMM_LEN - 1 ? len : HF_COMM_LEN - 1);
	while (len) {
		if (hf_utf8_next(from, len, &used) >= 0 && hf_text_ok(from, used, false)) {
			memcpy(to + n, from, used);
			n += used;
		} else {
			used = 1;
			to[n++] = '?';
		}
		from += used;
		len -= used;
	}
	to[n] = '\0';
}

int hf_comm_read(uint32_t pid, char name[HF_COMM_LEN])
{
	char path[32], raw[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, raw, sizeof(raw));
	close(fd);
	if (n <= 0)
		return -ESRCH;
	if (raw[n - 1] == '\n')
		n--;
	hf_comm_clean(name, raw, (size_t)n);
	return 0;
}

/* The entry of @pid, or the one to give up for it: free, else the one not used for longest. */
static struct hf_comm *entry_of(struct hf_comms *c, uint32_t pid)
{
	struct hf_comm *set = c->set[pid & (HF_COMM_SETS - 1)], *e = &set[0];

	for (int i = 0; i < HF_COMM_WAYS; i++)
		if (set[i].pid == pid)
			return &set[i];
	for (int i = 1; i < HF_COMM_WAYS; i++)
		if (e->pid && (!set[i].pid || set[i].used_ns < e->used_ns))
			e = &set[i];
	return e;
}

const char *hf_comm_name(struct hf_comms *c, uint32_t pid, const char *seen, uint64_t now_ns)
{
	struct hf_comm *e;
	bool known;

	if (!pid)
		return "?";
	e = entry_of(c, pid);
	known = e->pid == pid;
	if (!known)
		*e = (struct hf_comm){ .pid = pid };
	e->used_ns = now_ns;
	if (known && now_ns - e->read_ns < HF_COMM_NS)
		return e->name;
	e->read_ns = now_ns;
	/* Of one that is gone, what was known before; then what the event said. */
	if (c->read(pid, e->name) && (!known || !strcmp(e->name, "?"))) {
		hf_comm_clean(e->name, seen, HF_COMM_LEN);
		if (!e->name[0])
			strcpy(e->name, "?");
	}
	return e->name;
}
