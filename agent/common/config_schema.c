// SPDX-License-Identifier: GPL-2.0
/*
 * The table of the configuration's keys. A line here is a check, a default, a
 * line of the manual and of the JSON Schema, and two tests at once. Only data.
 */
#include <string.h>

#include "config.h"
#include "../../kmod/rules/limits.h"

#define KEEPER	(1U << HF_PROC_KEEPER)
#define AUTH	(1U << HF_PROC_AUTH)
#define AUDIT	(1U << HF_PROC_AUDIT)
#define EXPORT	(1U << HF_PROC_EXPORT)
#define FLEET	(1U << HF_PROC_FLEET)
#define LOCAL	(1U << HF_PROC_LOCAL)
#define FRONT	(1U << HF_PROC_FRONT)
#define PARENT	(1U << HF_PROC_PARENT)
#define EACH	((1U << HF_PROCS) - 1)

#define REQ	HF_CF_REQUIRED
#define OPT	HF_CF_OPTIONAL
#define LIVE	HF_RELOAD_LIVE
#define RESTART	HF_RELOAD_RESTART
#define SEALED	HF_RELOAD_SEALED
#define END	{ .name = NULL }

#define INT(n, u, lo, hi, d, r, h) \
	{ .name = n, .type = HF_C_INT, .unit = u, .min = lo, .max = hi, .def = d, \
	  .reload = r, .help = h }
/* Without default: @f is REQ or OPT. */
#define INT_F(n, f, u, lo, hi, r, h) \
	{ .name = n, .type = HF_C_INT, .flags = f, .unit = u, .min = lo, .max = hi, \
	  .reload = r, .help = h }
#define BOOL(n, d, r, h) \
	{ .name = n, .type = HF_C_BOOL, .def = d, .reload = r, .help = h }
#define ENUM(n, w, d, r, h) \
	{ .name = n, .type = HF_C_ENUM, .words = w, .def = d, .reload = r, .help = h }
#define ENUM_F(n, f, w, r, h) \
	{ .name = n, .type = HF_C_ENUM, .flags = f, .words = w, .reload = r, .help = h }
/* @like: a pair of pattern and meaning, below. */
#define TEXT(n, lo, hi, like, d, r, h) \
	{ .name = n, .type = HF_C_TEXT, .min = lo, .max = hi, like, .def = d, \
	  .reload = r, .help = h }
#define TEXT_F(n, f, lo, hi, like, r, h) \
	{ .name = n, .type = HF_C_TEXT, .flags = f, .min = lo, .max = hi, like, \
	  .reload = r, .help = h }
#define LIST(n, s, hi, r, h) \
	{ .name = n, .type = HF_C_LIST, .max = hi, .sub = s, .reload = r, .help = h }
#define MATCH(n, f, r, h) \
	{ .name = n, .type = HF_C_MATCH, .flags = f, .max = 63, .reload = r, .help = h }

#define PATH	.pattern = "^(/[A-Za-z0-9_@][A-Za-z0-9._+@:-]*)+$", \
		.looks = "an absolute path without \".\", \"..\" and hidden names"
#define NAME	.pattern = "^[a-z][a-z0-9_-]*$", \
		.looks = "lower-case letters, digits, _ and -, beginning with a letter"
#define ACCOUNT	.pattern = "^[a-z_][a-z0-9_-]*$", \
		.looks = "the name of an account of this host"
#define ADDRESS	.pattern = "^[0-9A-Fa-f.:]+$", .looks = "an IPv4 or IPv6 address"
#define HOST	.pattern = "^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])$", \
		.looks = "a host name or address (IPv6 in brackets), without port"
#define URL	.pattern = "^https?://([0-9.]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/?=&%-]*)?$", \
		.looks = "http:// or https://, a numeric address, a port, a path"
#define INCIDENT .pattern = "^(trip|health)(/[a-z0-9_-]+)?$", \
		.looks = "trip, trip/CAUSE, health or health/CHECK"
#define DATE	.pattern = "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", \
		.looks = "a date, \"2026-05-31\""
#define DAY	"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
#define HOUR	"([01][0-9]|2[0-3]):[0-5][0-9]"
#define WINDOW	.pattern = "^" DAY "(-" DAY ")? " HOUR "-(" HOUR "|24:00)$", \
		.looks = "days and hours, \"Mon-Fri 08:00-18:00\""

/* The driver's own limits, each optional: what is not stated is the hardware's nameplate. */
static const struct hf_config_key limit_keys[] = {
#define HF_X(NAME, n, u, sense, lo, hi) \
	{ .name = #n, .type = HF_C_INT, .flags = OPT | sense##_FLAGS, .unit = u, .min = lo, \
	  .max = hi, .help = sense##_HELP },
#define CEIL_FLAGS	0
#define FLOOR_FLAGS	HF_CF_FLOOR
#define CEIL_HELP	"ceiling: a smaller value is tighter"
#define FLOOR_HELP	"floor: a larger value is tighter"
	HF_LIMITS(HF_X)
#undef HF_X
	END
};

static const struct hf_config_key fence_keys[] = {
	INT_F("x_um", REQ, "um", -10000000, 10000000, LIVE,
	     "x of the protected point, in the array's frame"),
	INT_F("y_um", REQ, "um", -10000000, 10000000, LIVE, "y of it"),
	INT_F("z_um", REQ, "um", -10000000, 10000000, LIVE, "z of it"),
	INT_F("limit_mpa", REQ, "mPa", 0, 4000000000LL, LIVE, "peak sound pressure allowed there"),
	END
};

static const char *const by_point[] = { "x_um", "y_um", "z_um", NULL };
static const char *const by_match[] = { "match", NULL };
static const char *const by_name[] = { "name", NULL };

#define LIMITS(h) \
	{ .name = "limits", .type = HF_C_MAP, .flags = HF_CF_REPEATED, .sub = limit_keys, \
	  .help = h }
#define FENCE(h) \
	{ .name = "fence", .type = HF_C_LIST, .flags = HF_CF_REPEATED, .max = 64, \
	  .sub = fence_keys, .identity = by_point, .help = h }

static const struct hf_config_key array_keys[] = {
	MATCH("match", REQ, LIVE, "which arrays this is about"),
	LIMITS("limits of the site for these arrays, by the driver's names"),
	FENCE("protected points, and the pressure allowed there"),
	TEXT_F("calibrated", OPT, 10, 10, DATE, LIVE,
	     "day on which their sound pressure was last measured; without it health.calibration_days "
	     "is not looked at"),
	END
};

static const struct hf_config_key keeper_keys[] = {
	BOOL("seal", "true", RESTART,
	     "seal each array after its limits were applied: only a reboot loosens them"),
	INT("beat_ms", "ms", 10, 2000, "100", LIVE, "time between two beats of the keeper"),
	INT("lease_max_s", "s", 1, 604800, "43200", LIVE, "longest life of any lease"),
	INT("audit_grace_ms", "ms", 0, 60000, "5000", LIVE,
	    "how long arrays may go on when the audit log cannot be made durable"),
	BOOL("reset_two_person", "false", LIVE, "a reset after an emergency needs a second person"),
	TEXT("group", 1, 32, ACCOUNT, "holdfast", RESTART,
	     "group that may ask for leases, by the keeper's socket"),
	BOOL("disarm_on_auth_loss", "false", LIVE,
	     "disarm when nobody can be authenticated any more"),
	END
};

static const char *const right_words[] = { "frames", "raw", "arm", "reset", NULL };
static const struct hf_config_key right_keys[] = {
	ENUM_F("", REQ, right_words, LIVE, "a right of a lease"), END
};
static const struct hf_config_key match_keys[] = {
	MATCH("", REQ, LIVE, "an array"), END
};
static const struct hf_config_key window_keys[] = {
	TEXT_F("", REQ, 15, 19, WINDOW, LIVE,
	     "when leases are given, local time; past midnight takes two"), END
};
static const struct hf_config_key quota_keys[] = {
	INT_F("emission_ms", OPT, "ms", 1, 31536000000LL, LIVE, "time of emission"),
	INT_F("energy_mj", OPT, "mJ", 1, 1000000000000LL, LIVE,
	     "energy at the outputs, by the driver's model"),
	INT_F("frames", OPT, "frames", 1, 1000000000000LL, LIVE, "frames admitted"),
	INT("per_hours", "h", 1, 8760, "24", LIVE, "the quota is given anew after this time"),
	END
};
static const struct hf_config_key tenant_keys[] = {
	TEXT_F("name", REQ, 1, 32, NAME, LIVE, "name of the tenant"),
	INT_F("id", REQ, NULL, 1, INT64_MAX, LIVE,
	     "number that the driver knows the tenant by; keep it for ever"),
	{ .name = "arrays", .type = HF_C_LIST, .flags = REQ, .min = 1, .max = 64, .sub = match_keys,
	  .reload = LIVE, .help = "arrays that the tenant may use" },
	{ .name = "rights", .type = HF_C_LIST, .min = 1, .max = 4, .sub = right_keys,
	  .def = "frames", .reload = LIVE,
	  .help = "what its leases may do; frames: foci, raw: phases of their own too" },
	LIST("windows", window_keys, 32, LIVE, "when it may have leases; none: always"),
	LIMITS("limits of its leases; they can only be tighter than the site's"),
	FENCE("protected points of its leases, besides the site's"),
	{ .name = "quota", .type = HF_C_MAP, .sub = quota_keys, .reload = LIVE,
	  .help = "what it may use up; what is not stated has no quota" },
	INT("max_leases", NULL, 1, 64, "4", LIVE, "leases at the same time"),
	INT("max_lease_s", "s", 1, 604800, "3600", LIVE, "longest life of one lease"),
	END
};

static const char *const role_words[] = { "user", "operator", "admin", "system", NULL };
static const struct hf_config_key peer_keys[] = {
	INT_F("uid", OPT, NULL, 0, 4294967294LL, LIVE,
	     "a local account by number (one of uid, user, group)"),
	TEXT_F("user", OPT, 1, 32, ACCOUNT, LIVE, "a local account by name"),
	TEXT_F("group", OPT, 1, 32, ACCOUNT, LIVE, "all members of a local group"),
	ENUM_F("role", REQ, role_words, LIVE, "role that the kernel's word about them gives"),
	TEXT_F("tenant", OPT, 1, 32, NAME, LIVE, "tenant that they act for"),
	TEXT_F("name", OPT, 1, 32, NAME, LIVE,
	     "name in the audit log; without it the user name or \"uid:N\""),
	END
};

static const char *const kdf_words[] = { "argon2id", "pbkdf2", NULL };
static const char *const remote_words[] = { "never", "step_up", NULL };
static const struct hf_config_key auth_keys[] = {
	ENUM("kdf", kdf_words, "argon2id", LIVE,
	     "how passwords are hashed; hashes are renewed at login"),
	INT("pbkdf2_iterations", NULL, 600000, 10000000, "600000", LIVE,
	     "PBKDF2-HMAC-SHA256: iterations"),
	INT("argon2_kib", "KiB", 1024, 1048576, "19456", LIVE, "argon2id: memory of one hash"),
	INT("argon2_passes", NULL, 1, 32, "2", LIVE, "argon2id: passes over it"),
	INT("hash_workers", NULL, 1, 4, "2", RESTART, "hashes computed at the same time"),
	INT("hash_queue", NULL, 1, 64, "8", RESTART,
	     "hashes that may wait; more are refused with 503"),
	INT("password_min", "characters", 8, 128, "15", LIVE, "shortest password"),
	INT("session_user_idle_s", "s", 60, 86400, "1800", LIVE,
	     "users and operators: a session ends when idle so long"),
	INT("session_user_max_s", "s", 60, 86400, "43200", LIVE,
	     "users and operators: longest session"),
	INT("session_admin_idle_s", "s", 60, 86400, "900", LIVE,
	     "admins: a session ends when idle so long"),
	INT("session_admin_max_s", "s", 60, 86400, "14400", LIVE, "admins: longest session"),
	INT("token_ttl_s", "s", 300, 900, "600", LIVE, "life of a signed token"),
	INT("step_up_s", "s", 30, 900, "300", LIVE,
	     "how long a proven password counts for what needs it"),
	INT("lockout_free_tries", NULL, 1, 20, "5", LIVE,
	     "wrong passwords before the first lock-out"),
	INT("lockout_start_s", "s", 1, 3600, "30", LIVE,
	     "first lock-out; doubles with every further wrong password"),
	INT("lockout_max_s", "s", 1, 86400, "3600", LIVE, "longest lock-out"),
	BOOL("totp_required", "false", LIVE, "operators and admins need a second factor"),
	ENUM("remote_arming", remote_words, "never", LIVE,
	     "may a stepped-up operator arm and reset over the network?"),
	END
};

static const char *const io_words[] = { "auto", "uring", "portable", NULL };
static const struct hf_config_key audit_keys[] = {
	INT("segment_bytes", "bytes", 65536, 1073741824, "67108864", LIVE,
	     "a segment of the log is closed at this size"),
	INT("segment_s", "s", 60, 31536000, "86400", LIVE, "and at this age"),
	INT("checkpoint_records", NULL, 1, 65536, "256", LIVE,
	     "records between two signed checkpoints"),
	INT("checkpoint_ms", "ms", 10, 60000, "1000", LIVE,
	     "and the time between them while there are new records"),
	INT("retention_days", "days", 1, 36500, "365", LIVE,
	    "segments younger than this are never deleted; with export.anchors, nor are those whose "
	    "end no anchor covers"),
	INT("keep_bytes", "bytes", 1048576, 1099511627776LL, "4294967296", LIVE,
	    "while the log is smaller than this, nothing of it is deleted"),
	INT("warn_free_bytes", "bytes", 0, 1099511627776LL, "1073741824", LIVE,
	     "free space below which it is said"),
	INT("refuse_free_bytes", "bytes", 0, 1099511627776LL, "268435456", LIVE,
	    "free space below which nothing may arm any more"),
	INT("reserve_bytes", "bytes", 1048576, 1073741824, "16777216", RESTART,
	    "kept for the last records of a full disk"),
	ENUM("io", io_words, "auto", RESTART,
	     "how the log is written: io_uring, or pwritev2 and fdatasync"),
	END
};

static const struct hf_config_key host_keys[] = {
	TEXT_F("", REQ, 1, 255, HOST, LIVE, "a host name"), END
};
static const struct hf_config_key api_keys[] = {
	BOOL("local_enabled", "true", RESTART, "serve the API on its unix socket"),
	BOOL("network_enabled", "true", RESTART, "serve the API on TCP"),
	TEXT("listen", 2, 45, ADDRESS, "127.0.0.1", RESTART,
	     "address to listen on; beyond loopback needs TLS"),
	INT("port", NULL, 1, 65535, "8240", RESTART, "TCP port"),
	TEXT_F("tls_certificate", OPT, 2, 255, PATH, RESTART,
	     "PEM file with the certificate chain; read again when it changes"),
	TEXT_F("tls_key", OPT, 2, 255, PATH, RESTART, "PEM file with its key"),
	{ .name = "hosts", .type = HF_C_LIST, .min = 1, .max = 32, .sub = host_keys,
	  .def = "localhost,127.0.0.1,[::1]", .reload = LIVE,
	  .help = "names that requests may be addressed to (Host)" },
	INT("connections", NULL, 1, 896, "256", RESTART, "connections at the same time"),
	INT("connections_per_source", NULL, 1, 896, "32", RESTART, "of them from one address"),
	INT("body_max", "bytes", 1024, 57344, "57344", LIVE, "longest request body"),
	INT("requests_per_minute", NULL, 1, 10000000, "600", LIVE,
	     "requests of one address, of one credential and of one user; silencing is never limited"),
	INT("login_per_minute", NULL, 1, 1000, "10", LIVE, "log-ins tried by one address"),
	INT("block_after", NULL, 1, 100000, "50", LIVE,
	     "refused requests of an address within a minute before it is blocked"),
	INT("block_s", "s", 1, 86400, "900", LIVE, "how long it is blocked"),
	END
};

static const char *const anchor_words[] = { "file", "syslog_tcp", "syslog_tls", NULL };
static const struct hf_config_key anchor_keys[] = {
	ENUM_F("kind", REQ, anchor_words, LIVE, "where checkpoints of the audit log are taken"),
	TEXT_F("path", OPT, 2, 255, PATH, RESTART, "file: on another disk or host than the log"),
	TEXT_F("host", OPT, 1, 255, HOST, LIVE, "syslog: the receiver"),
	INT_F("port", OPT, NULL, 1, 65535, LIVE,
	     "syslog: its port (601 for syslog_tcp, 6514 for syslog_tls)"),
	TEXT_F("ca", OPT, 2, 255, PATH, RESTART,
	     "syslog_tls: PEM file with the authorities that may have signed for it"),
	INT("every_s", "s", 1, 86400, "60", LIVE,
	     "time between two anchors while there are new records"),
	END
};
static const struct hf_config_key export_keys[] = {
	LIST("anchors", anchor_keys, 8, LIVE,
	     "places outside that keep checkpoints of the audit log"),
	END
};

static const char *const severity_words[] = { "warning", "critical", NULL };
static const struct hf_config_key rule_keys[] = {
	TEXT_F("match", REQ, 4, 47, INCIDENT, LIVE, "which incidents"),
	ENUM_F("severity", OPT, severity_words, LIVE, "how grave; without it as the agent has it"),
	BOOL("mute", "false", LIVE, "no incident for it"),
	INT("for_s", "s", 0, 86400, "0", LIVE, "health: only what has lasted so long"),
	END
};
static const char *const channel_words[] = { "webhook", "alertmanager", "syslog_tcp", "syslog_tls", NULL };
static const struct hf_config_key channel_keys[] = {
	TEXT_F("name", REQ, 1, 32, NAME, LIVE, "of the channel: who has been told is remembered by it"),
	ENUM_F("kind", REQ, channel_words, LIVE, "how it is told"),
	TEXT_F("url", OPT, 10, 240, URL, LIVE,
	       "webhook, alertmanager: where to; production wants https"),
	TEXT_F("host", OPT, 1, 240, HOST, LIVE, "syslog: the receiver"),
	INT_F("port", OPT, NULL, 1, 65535, LIVE, "syslog: its port"),
	TEXT_F("ca", OPT, 2, 255, PATH, RESTART,
	       "PEM file with the authorities that may have signed for it; without it the system's"),
	TEXT_F("secret", OPT, 1, 32, NAME, LIVE,
	       "webhook: name of the secret that signs, \"export-...\"; without it nothing is signed"),
	ENUM("min_severity", severity_words, "warning", LIVE, "what is less grave is not told"),
	BOOL("resolved", "true", LIVE, "is it told that something is over?"),
	END
};
static const struct hf_config_key alerts_keys[] = {
	{ .name = "channels", .type = HF_C_LIST, .max = 8, .sub = channel_keys, .identity = by_name,
	  .reload = LIVE, .help = "who is told of incidents" },
	LIST("rules", rule_keys, 32, LIVE, "the first that matches counts"),
	END
};

static const struct hf_config_key server_keys[] = {
	TEXT_F("address", REQ, 2, 45, ADDRESS, LIVE, "of a NATS server, in numbers"),
	INT("port", NULL, 1, 65535, "4222", LIVE, "its port"), END
};
static const char *const by_server[] = { "address", "port", NULL };
static const struct hf_config_key fleet_keys[] = {
	{ .name = "servers", .type = HF_C_LIST, .max = 8, .sub = server_keys, .identity = by_server,
	  .reload = RESTART, .help = "NATS servers with JetStream, tried in this order; none: no fleet" },
	TEXT("site", 1, 32, NAME, "lab", RESTART, "name of the site, the second word of all subjects"),
	TEXT_F("host", OPT, 1, 32, NAME, RESTART,
	       "name of this host on the bus, unique in the site; must be stated with servers"),
	TEXT("stream", 1, 32, NAME, "holdfast", RESTART, "stream that keeps events and anchors"),
	BOOL("tls", "true", RESTART, "only with TLS, and only to who is vouched for"),
	TEXT_F("tls_name", OPT, 1, 255, HOST, RESTART,
	       "name in the servers' certificate; must be stated with tls"),
	TEXT_F("ca", OPT, 2, 255, PATH, RESTART,
	       "PEM file with the authorities that may have signed for them; must be stated with tls"),
	TEXT_F("user", OPT, 1, 32, NAME, RESTART, "user name at the servers; without it the secret is a token"),
	TEXT_F("secret", OPT, 1, 32, NAME, RESTART,
	       "name in the secret store of the password or token, begins with fleet-"),
	INT("telemetry_s", "s", 1, 3600, "10", LIVE, "time between two messages of telemetry"),
	END
};

static const char *const remedy_words[] = { "off", "dry_run", "on", NULL };
static const struct hf_config_key health_keys[] = {
	ENUM("remedies", remedy_words, "on", LIVE,
	     "may the agent mend what it safely can (docs/health.md), or only say what it would do?"),
	INT("memory_mib", "MiB", 16, 65536, "256", LIVE,
	    "resident memory of all processes of the agent together, shared pages counted in each"),
	INT("cpu_percent", "%", 1, 6400, "50", LIVE,
	    "processor time of all processes of the agent together, of one processor"),
	INT("standbys", "", 0, 4, "0", LIVE,
	    "how many should stand by (holdfastd --standby); with fewer the check standby warns"),
	INT("temperature_margin_mc", "mC", 0, 50000, "5000", LIVE,
	    "how far below the temperature that trips it is said"),
	INT("self_test_hours", "h", 1, 8760, "168", LIVE,
	    "an array's self-test is due when the last one is older"),
	INT("calibration_days", "days", 1, 36500, "365", LIVE,
	    "an array's calibration is due when it is older"),
	INT("certificate_days", "days", 1, 365, "21", LIVE,
	    "it is said so long before the certificate expires"),
	INT("key_days", "days", 1, 36500, "365", LIVE,
	    "the key that signs tokens is due for rotation when it is older"),
	END
};

static const struct hf_config_key path_keys[] = {
	TEXT("state", 2, 80, PATH, "/var/lib/holdfast", RESTART, "what is kept"),
	TEXT("run", 2, 80, PATH, "/run/holdfast", RESTART, "sockets and the lock"),
	END
};

static const struct hf_config_key agent_keys[] = {
	INT("standby_after_ms", "ms", 500, 600000, "5000", RESTART,
	    "a standby (holdfastd --standby) takes over when who is in charge has not answered for "
	    "so long; what it writes to the disk must not take that long"),
	END
};

static const char *const level_words[] = { "error", "warn", "notice", "info", "debug", NULL };
static const struct hf_config_key log_keys[] = {
	ENUM("level", level_words, "info", LIVE, "least important line that is logged"),
	END
};

static const char *const environment_words[] = { "production", "development", "test", NULL };

#define SECTION(n, s, p, h) \
	{ .name = n, .type = HF_C_MAP, .sub = s, .procs = p, .help = h }
#define SECTION_LIST(n, s, hi, i, r, p, h) \
	{ .name = n, .type = HF_C_LIST, .max = hi, .sub = s, .identity = i, .reload = r, \
	  .procs = p, .help = h }

const struct hf_config_key hf_config_schema[] = {
	{ .name = "environment", .type = HF_C_ENUM, .words = environment_words, .def = "production",
	  .reload = RESTART, .procs = EACH,
	  .help = "production refuses settings that only development may have" },
	SECTION("paths", path_keys, EACH, "Where things are."),
	SECTION("agent", agent_keys, PARENT, "The parent of the processes."),
	SECTION("log", log_keys, EACH, "What the processes log."),
	SECTION_LIST("arrays", array_keys, 64, by_match, SEALED, PARENT | KEEPER,
		     "Arrays that the agent supervises, and the limits of the site. All entries that "
		     "match an array apply, the tightest value of each limit counts; an array that no "
		     "entry matches is left alone."),
	SECTION("keeper", keeper_keys, PARENT | KEEPER, "Supervision."),
	SECTION_LIST("tenants", tenant_keys, 64, by_name, LIVE, PARENT | KEEPER | AUTH,
		     "Groups of people that share arrays without seeing or disturbing each other."),
	SECTION_LIST("peers", peer_keys, 256, NULL, LIVE, PARENT | AUTH,
		     "Who local accounts are: the kernel tells who is at the other end of a unix "
		     "socket. The first entry that matches counts."),
	SECTION("auth", auth_keys, PARENT | AUTH, "Passwords, sessions, tokens."),
	SECTION("audit", audit_keys, PARENT | AUDIT, "The audit log."),
	SECTION("api", api_keys, PARENT | FRONT | LOCAL | AUTH, "The HTTP interface."),
	SECTION("export", export_keys, PARENT | EXPORT | AUDIT, "What leaves the host."),
	SECTION("alerts", alerts_keys, PARENT | EXPORT, "What becomes an incident (docs/incidents.md)."),
	SECTION("fleet", fleet_keys, PARENT | FLEET, "The bus of many hosts (docs/fleet.md)."),
	SECTION("health", health_keys, PARENT | KEEPER | AUTH | FRONT, "When something is said to be not well."),
	END
};
