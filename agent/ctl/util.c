// SPDX-License-Identifier: GPL-2.0
/*
 * Errors, exit codes, and reading what people type. No output of data here.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

void ctl_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };	/* no SA_RESTART */

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool ctl_interrupted(void)
{
	return interrupted;
}

int ctl_exit_of(int err)
{
	switch (-err) {
	case 0:
		return CTL_OK;
	case ERANGE:
		return CTL_REFUSED;
	case ESHUTDOWN:
		return CTL_TRIPPED;
	case ENODEV:
	case ENXIO:
		return CTL_NO_ARRAY;
	case ECONNREFUSED:
		return CTL_NO_KEEPER;
	case EPERM:
	case EACCES:
		return CTL_DENIED;
	default:
		return CTL_FAILED;
	}
}

/* What an errno means here, where strerror() would mislead. */
static const char *meaning(int err)
{
	switch (-err) {
	case ENODEV:
		return "no such array (is a driver loaded?)";
	case EMLINK:
		return "there are several arrays: choose one with -d";
	case ENOTCONN:
		return "the array is not armed";
	case ESHUTDOWN:
		return "the array has tripped";
	case EKEYREVOKED:
		return "the lease was revoked";
	case EKEYEXPIRED:
		return "the lease has expired";
	case EKEYREJECTED:
		return "after an emergency a self-test must pass first";
	case ERANGE:
		return "refused by a limit";
	default:
		return strerror(-err);
	}
}

int ctl_fail(int err, const char *fmt, ...)
{
	va_list ap;

	fputs("holdfastctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", meaning(err));
	return ctl_exit_of(err);
}

int ctl_fail_reason(int err, const struct holdfast_reason *r, const char *what)
{
	char text[HOLDFAST_TEXT_LEN];

	if ((err != -ERANGE && err != -EPERM) || r->limit == HOLDFAST_LIM_NONE ||
	    (!r->limit && !r->where && !r->measured && !r->bound))
		return ctl_fail(err, "%s", what);
	fprintf(stderr, "holdfastctl: %s: refused: %s\n", what,
		holdfast_strerror_reason(r, text, sizeof(text)));
	return err == -EPERM ? CTL_DENIED : CTL_REFUSED;
}

int ctl_tripped(struct holdfast_array *a)
{
	char text[HOLDFAST_TEXT_LEN] = "the record cannot be read";
	struct holdfast_trip t;

	if (!holdfast_trip_get(a, &t))
		holdfast_strerror_trip(&t, text, sizeof(text));
	fprintf(stderr, "holdfastctl: the array has tripped: %s\n", text);
	return CTL_TRIPPED;
}

int ctl_open(struct ctl *c, struct holdfast_array **a, unsigned int flags)
{
	int ret = holdfast_open(a, c->device, flags);

	return ret ? ctl_fail(ret, "%s", c->device ? c->device : "array") : 0;
}

int ctl_lease(struct ctl *c, struct holdfast_array **lease, uint32_t index, uint32_t rights)
{
	struct holdfast_lease_request req = { .array = index, .rights = rights };
	char text[HOLDFAST_TEXT_LEN];
	int ret;

	snprintf(req.label, sizeof(req.label), "holdfastctl %s", c->command->name);
	ret = holdfast_lease_request(lease, c->socket, &req, 5000, text);
	if (!ret)
		return 0;
	fprintf(stderr, "holdfastctl: %s\n", text);
	return ret == -ENOENT ? CTL_NO_KEEPER : ctl_exit_of(ret);
}

int ctl_parse_u64(const char *text, uint64_t min, uint64_t max, const char *what, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (isdigit((unsigned char)text[0]) && !*end && !errno && *value >= min && *value <= max)
		return 0;
	fprintf(stderr,
		"holdfastctl: %s: \"%s\" where a whole number from %" PRIu64 " to %" PRIu64 " is required\n",
		what, text, min, max);
	return -1;
}

int ctl_parse_value(const char *text, const char *unit, int64_t min, int64_t max,
		    const char *what, int64_t *value)
{
	char err[HOLDFAST_TEXT_LEN], lo[48], hi[48];

	if (holdfast_value_parse(text, unit, false, value, err)) {
		fprintf(stderr, "holdfastctl: %s: %s\n", what, err);
		return -1;
	}
	if (*value >= min && *value <= max)
		return 0;
	fprintf(stderr, "holdfastctl: %s: %s where %s to %s is allowed\n", what, text,
		holdfast_value_print(min, unit, lo, sizeof(lo)),
		holdfast_value_print(max, unit, hi, sizeof(hi)));
	return -1;
}

/* One coordinate in mm, up to @end. */
static bool coordinate(const char **p, char end, double *m)
{
	char buf[32];
	int64_t um;
	size_t n = 0;

	while ((*p)[n] && (*p)[n] != end && (*p)[n] != ',' && n < sizeof(buf) - 4)
		n++;
	if ((*p)[n] != end || !n)
		return false;
	memcpy(buf, *p, n);
	strcpy(buf + n, isdigit((unsigned char)buf[n - 1]) ? "mm" : "");
	if (holdfast_value_parse(buf, "um", false, &um, NULL) || llabs(um) > 10000000)
		return false;
	*m = (double)um * 1e-6;
	*p += n + (end != '\0');
	return true;
}

int ctl_parse_point(const char *text, char end, struct holdfast_point *p, const char **rest)
{
	const char *s = text;

	if (!coordinate(&s, ',', &p->x_m) || !coordinate(&s, ',', &p->y_m) ||
	    !coordinate(&s, end, &p->z_m)) {
		fprintf(stderr,
			"holdfastctl: \"%s\": X,Y,Z%s in mm is required, each within 10 m and no finer than 1 um\n",
			text, end == '=' ? "=PRESSURE" : "");
		return -1;
	}
	if (rest)
		*rest = s;
	return 0;
}

uint64_t ctl_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

const char *ctl_time(uint64_t real_ns, char *buf, size_t len)
{
	time_t s = (time_t)(real_ns / 1000000000ULL);
	struct tm tm;
	size_t n;

	localtime_r(&s, &tm);
	n = strftime(buf, len, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(buf + n, len - n, ".%06u", (unsigned int)(real_ns / 1000 % 1000000));
	return buf;
}

const char *ctl_sensor_label(struct holdfast_array *a, uint32_t index, char *buf, size_t len)
{
	struct holdfast_sensor_info si;

	if (holdfast_sensor_info(a, index, &si) || !si.label[0])
		snprintf(buf, len, "sensor %" PRIu32, index);
	else
		snprintf(buf, len, "%.*s", (int)sizeof(si.label), si.label);
	return buf;
}

const char *ctl_sensor_unit(uint32_t kind)
{
	static const char *const units[] = {
		[HOLDFAST_SENSOR_TEMP] = "mC", [HOLDFAST_SENSOR_SUPPLY] = "mV",
		[HOLDFAST_SENSOR_CURRENT] = "mA", [HOLDFAST_SENSOR_FAN] = "rpm",
	};

	return kind < sizeof(units) / sizeof(units[0]) ? units[kind] : "";
}
