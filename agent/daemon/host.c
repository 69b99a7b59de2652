// SPDX-License-Identifier: GPL-2.0
/*
 * The parent's own findings (host.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon.h"
#include "file.h"
#include "host.h"
#include "usage.h"

#define STEP_NS		(2 * (int64_t)HF_S)	/* by which the time of day jumps, not drifts */

/* --------------------------------------------------------------- processes */

static struct hf_finding processes(const struct hf_parent *p)
{
	char missing[96] = "";
	size_t len = 0;
	int away = 0;

	for (int i = 1; i < HF_PROCS; i++) {
		const struct hf_child *c = &p->children[i];

		if (c->state == HF_CHILD_READY || c->state == HF_CHILD_OFF)
			continue;
		away++;
		if (len < sizeof(missing))
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, " %s (%s)",
						hf_proc_name((enum hf_proc)i),
						hf_child_state_name(c->state));
	}
	/* One after the other, the first time. */
	if (away && p->state == HF_ST_STARTING)
		return hf_finding(HF_HEALTH_UNKNOWN, away, 0, "starting:%s", missing);
	return hf_finding(away ? HF_HEALTH_FAIL : HF_HEALTH_OK, away, 0, "not there:%s", missing);
}

/* ------------------------------------------------------ memory, processor */

static int64_t used(const struct hf_child *c, const char *what)
{
	const json_t *usage = json_object_get(c->stats, "usage");

	return c->state == HF_CHILD_READY ? json_integer_value(json_object_get(usage, what)) : 0;
}

enum hf_proc hf_host_largest(const struct hf_parent *p)
{
	enum hf_proc largest = HF_PROC_PARENT;

	for (int i = 1; i < HF_PROCS; i++)
		if (largest == HF_PROC_PARENT ||
		    used(&p->children[i], "rss_bytes") > used(&p->children[largest], "rss_bytes"))
			largest = (enum hf_proc)i;
	return largest;
}

static struct hf_finding memory(const struct hf_host *h, const struct hf_parent *p, const json_t *own)
{
	enum hf_proc largest = hf_host_largest(p);
	int64_t sum = json_integer_value(json_object_get(own, "rss_bytes"));
	double mib, most = h->memory_mib;

	for (int i = 1; i < HF_PROCS; i++)
		sum += used(&p->children[i], "rss_bytes");
	mib = (double)sum / 1048576;
	return hf_finding(hf_health_of(mib, most * 0.8, most), mib, most,
			  "%.0f MiB, most of it %s (%.0f MiB)", mib, hf_proc_name(largest),
			  (double)used(&p->children[largest], "rss_bytes") / 1048576);
}

/* Time of all processes since the last look. One that was started again counts from zero. */
static struct hf_finding cpu(struct hf_host *h, const struct hf_parent *p, const json_t *own,
			     uint64_t now_ns)
{
	uint64_t sum_us = (uint64_t)json_integer_value(json_object_get(own, "cpu_us"));
	double percent = NAN, most = h->cpu_percent;

	for (int i = 1; i < HF_PROCS; i++)
		sum_us += (uint64_t)used(&p->children[i], "cpu_us");
	if (h->seen_ns && now_ns > h->seen_ns && sum_us >= h->cpu_us)
		percent = (double)(sum_us - h->cpu_us) * 1e5 / (double)(now_ns - h->seen_ns);
	h->cpu_us = sum_us;
	if (isnan(percent))
		return hf_finding_ok(NAN, most);
	return hf_finding(hf_health_of(percent, most, INFINITY), percent, most,
			  "%.0f %% of one processor", percent);
}

/* ------------------------------------------------------------------- clock */

static struct hf_finding clock_of(struct hf_host *h, const struct hf_clock *clock)
{
	int64_t offset_ns = (int64_t)hf_real_ns(clock) - (int64_t)hf_mono_ns(clock);
	int64_t step_ns = h->seen_ns ? offset_ns - h->offset_ns : 0;
	double s = (double)step_ns / 1e9;

	h->offset_ns = offset_ns;
	if (step_ns < STEP_NS && step_ns > -STEP_NS)
		return hf_finding_ok(0, NAN);
	return hf_finding(HF_HEALTH_WARN, s, NAN,
			  "the time of day was set by %+.0f s: records and expiry dates go by it", s);
}

/* ----------------------------------------------------------- configuration */

static void digest(const char *text, size_t len, unsigned char out[32])
{
	EVP_Digest(text, len, out, NULL, EVP_sha256(), NULL);
}

void hf_host_configured(struct hf_host *h, const json_t *part, const char *text, size_t len)
{
	h->memory_mib = (double)hf_config_int(part, "health.memory_mib");
	h->cpu_percent = (double)hf_config_int(part, "health.cpu_percent");
	h->standbys = (double)hf_config_int(part, "health.standbys");
	digest(text, len, h->digest);
	h->mtime = (struct timespec){ 0 };	/* look at the file again */
}

static struct hf_finding file_read(const struct hf_host *h, const char *path)
{
	unsigned char now[32];
	struct hf_err e;
	char *text;
	size_t len;

	if (hf_file_read(AT_FDCWD, path, HF_CONFIG_BYTES_MAX, &text, &len, &e))
		return hf_finding(HF_HEALTH_FAIL, NAN, NAN, "%s", e.text);
	digest(text, len, now);
	free(text);
	return hf_finding(memcmp(now, h->digest, 32) ? HF_HEALTH_WARN : HF_HEALTH_OK, NAN, NAN,
			  "%.80s is not what is in force: reload, or put it back", path);
}

/* Read again only when it has changed. */
static struct hf_finding configuration(struct hf_host *h, const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		h->mtime = (struct timespec){ 0 };
		return hf_finding(HF_HEALTH_FAIL, NAN, NAN, "%.80s: %s", path, strerror(errno));
	}
	if (st.st_mtim.tv_sec != h->mtime.tv_sec || st.st_mtim.tv_nsec != h->mtime.tv_nsec ||
	    st.st_size != h->size || st.st_ino != h->inode)
		h->file = file_read(h, path);
	h->mtime = st.st_mtim;
	h->size = st.st_size;
	h->inode = st.st_ino;
	return h->file;
}

/* ----------------------------------------------------------------- standby */

static struct hf_finding standby(const struct hf_host *h, const struct hf_parent *p)
{
	double have = hf_primary_standbys(p->env.primary);

	return hf_finding(have < h->standbys ? HF_HEALTH_WARN : HF_HEALTH_OK, have, h->standbys,
			  "%.0f of %.0f stand by", have, h->standbys);
}

void hf_host_look(struct hf_host *h, struct hf_parent *p, struct hf_host_findings *f)
{
	const struct hf_clock *clock = hf_parent_clock(p);
	json_t *own = hf_usage_json(p->usage_fd);
	uint64_t now_ns = hf_mono_ns(clock);

	f->processes = processes(p);
	f->memory = memory(h, p, own);
	f->cpu = cpu(h, p, own, now_ns);
	f->clock = clock_of(h, clock);
	f->configuration = configuration(h, hf_parent_config_file(p));
	f->standby = standby(h, p);
	h->seen_ns = now_ns;
	json_decref(own);
}
