/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a command line asks for, once it has been read: nothing but data, the
 * defaults filled in. Strings are those of the command line.
 */
#ifndef HF_CTL_REQUEST_H
#define HF_CTL_REQUEST_H

#include "libholdfast.h"

#define CTL_OPTIONS	32	/* of one command, the common ones included */
#define CTL_POINTS	64	/* positions of solve */

struct ctl_status {
	bool watch;
	int64_t interval_ms;
};

enum ctl_pattern { CTL_FOCUS, CTL_FOCI, CTL_TWIN, CTL_VORTEX, CTL_BOTTLE };

struct ctl_solve {
	enum ctl_pattern pattern;
	struct holdfast_point at[CTL_POINTS];
	size_t points;
	double radius_m;	/* 0: no circle */
	uint64_t frames;
	double rate_hz;
	uint16_t amp;
	int charge;
	double turn_rad;
	uint64_t rows, columns, pitch_um;	/* @rows 0: the geometry of the array */
	const char *output;
};

struct ctl_play {
	const char *path;
	uint64_t interval_ns;	/* 0: what the file states */
	uint64_t loops;		/* UINT64_MAX: forever */
	uint16_t amp;
	uint32_t flags;		/* of every frame */
	bool skip, arm, keep, quiet;
};

struct ctl_envelope {
	const char *verb;	/* show, set, tighten, seal */
	struct holdfast_envelope env;	/* only the mask: the driver knows the limits */
	char **limits;		/* NAME=VALUE */
	int count;
};

struct ctl_fence {
	const char *verb;	/* list, add, remove */
	struct holdfast_fence_point points[HOLDFAST_MAX_FENCE];
	int count;
};

struct ctl_surface {
	const char *verb;	/* show, set, add, clear */
	const char *path;	/* of set and add */
};

struct ctl_events {
	bool follow;
	uint64_t since;
	enum holdfast_group group;
};

/* Everything that one keeper needs to know (keep.c). */
struct ctl_keep {
	const char *socket;	/* NULL: only @sock */
	const char *group;	/* may ask for leases besides root; NULL: nobody */
	uint32_t rights;	/* that the group may have */
	int sock;		/* connected already, ends the keeping when it closes; -1: none */
	bool seal;
	bool arm;
	bool quiet;
};

struct ctl_login {
	const char *user;	/* NULL: the name of this account */
	const char *password_file;
	const char *totp_file;
};

struct ctl_health {
	bool detailed, watch;
};

struct ctl_tail {
	uint64_t lines;
	bool follow;
};

struct ctl_export {
	int64_t since_ns, until_ns;	/* -1: no bound */
	const char *path;
};

struct ctl_config_file {
	const char *path;
	const char *comment;
	bool with_env, show;
};

struct ctl_fleet {
	const char *server, *site, *creds;	/* NULL: of the file */
	const char *host;	/* NULL: all */
	int64_t wait_ms;	/* 0: the default */
	bool latch;
};

struct ctl_backup {
	const char *archive, *key, *state, *run, *config;
};

struct ctl_focus {
	struct ctl_play play;	/* @amp: of all foci together */
	size_t points;
	struct holdfast_point at[HOLDFAST_MAX_FOCI];
	uint64_t for_ms;	/* 0: until interrupted */
};

union ctl_request {
	struct ctl_health health;
	struct ctl_status status;
	struct ctl_solve solve;
	struct ctl_play play;
	struct ctl_focus focus;
	struct ctl_envelope envelope;
	struct ctl_fence fence;
	struct ctl_surface surface;
	struct ctl_events events;
	struct ctl_keep keep;
	struct ctl_login login;
	struct ctl_tail tail;
	struct ctl_export export;
	struct ctl_config_file config;
	struct ctl_backup backup;
	struct ctl_fleet fleet;
	const char *comment;		/* arm, reset */
	bool latch;			/* silence */
	bool open_metrics;		/* metrics: in the OpenMetrics format */
	int64_t since_ns;		/* security report */
	int64_t incident;		/* incident show, report */
	char **argv;			/* audit verify */
	const char *files[CTL_OPTIONS];	/* secrets of an operation, by field; NULL: to be asked for */
};

#endif /* HF_CTL_REQUEST_H */
