// SPDX-License-Identifier: GPL-2.0
/*
 * The table of operations. A line here is a route, a right and a check of
 * arguments at once; there is no other place that decides any of the three.
 */
#include <errno.h>
#include <string.h>

#include "ops.h"

#define REQ		HF_FF_REQUIRED
#define SECRET		(HF_FF_REQUIRED | HF_FF_SECRET)
#define END		{ .name = NULL }

/* Arguments that many have. */
#define F_ARRAY		{ "array", HF_F_INT, HF_IN_PATH, REQ, 0, 63, .help = "number of the array" }
#define F_USER		{ "user", HF_F_NAME, HF_IN_PATH, REQ, .help = "name of the user" }
#define F_PASSWORD(n, h) { n, HF_F_STRING, HF_IN_BODY, SECRET, 1, 1024, .help = h }
#define F_TOTP		{ "totp", HF_F_STRING, HF_IN_BODY, HF_FF_SECRET, 6, 6, \
			  .help = "six digits of the second factor" }
#define F_COMMENT	{ "comment", HF_F_STRING, HF_IN_BODY, 0, 0, 256, .help = "why, for the record" }
#define F_LIMIT(most)	{ "limit", HF_F_INT, HF_IN_QUERY, 0, 1, most, .help = "entries at most" }
#define F_SINCE		{ "since_ns", HF_F_INT, HF_IN_QUERY, 0, 0, INT64_MAX, \
			  .help = "UTC nanoseconds since 1970, from there" }
#define F_UNTIL		{ "until_ns", HF_F_INT, HF_IN_QUERY, 0, 0, INT64_MAX, \
			  .help = "UTC nanoseconds since 1970, up to there" }
#define F_CONFIG	{ "text", HF_F_STRING, HF_IN_BODY, REQ | HF_FF_LINES, 1, 49152, \
			  .help = "the whole configuration, YAML" }

static const char *const role_words[] = { "user", "operator", "admin", "system", NULL };

static const struct hf_field a_none[] = { END };
static const struct hf_field a_array[] = { F_ARRAY, END };

static const struct hf_field a_setup[] = {
	{ "secret", HF_F_STRING, HF_IN_BODY, SECRET, 1, 128,
	  .help = "one-time secret that the agent wrote at its first start" },
	{ "user", HF_F_NAME, HF_IN_BODY, REQ, .help = "name of the first admin" },
	F_PASSWORD("password", "its password"), END
};
static const struct hf_field a_login[] = {
	{ "user", HF_F_NAME, HF_IN_BODY, REQ, .help = "name of the user" },
	F_PASSWORD("password", "password"), F_TOTP, END
};
static const struct hf_field a_step_up[] = {
	F_PASSWORD("password", "own password"), F_TOTP, END
};
static const struct hf_field a_password[] = {
	F_PASSWORD("old", "present password"), F_PASSWORD("new", "new password"), END
};
static const struct hf_field a_totp[] = {
	{ "totp", HF_F_STRING, HF_IN_BODY, SECRET, 6, 6, .help = "six digits" }, END
};
static const struct hf_field a_session[] = {
	{ "session", HF_F_HEX, HF_IN_PATH, REQ, 16, 32, .help = "public id of the session" }, END
};
static const struct hf_field a_token_new[] = {
	{ "label", HF_F_STRING, HF_IN_BODY, 0, 0, 64, .help = "what it is for" },
	{ "ttl_s", HF_F_INT, HF_IN_BODY, 0, 60, 900, .help = "life in seconds" }, END
};
static const struct hf_field a_token[] = {
	{ "token", HF_F_HEX, HF_IN_PATH, REQ, 16, 32, .help = "public id of the token" }, END
};
static const struct hf_field a_user_new[] = {
	{ "user", HF_F_NAME, HF_IN_BODY, REQ, .help = "name of the user" },
	{ "role", HF_F_ENUM, HF_IN_BODY, REQ, .words = role_words, .help = "role" },
	{ "tenant", HF_F_NAME, HF_IN_BODY, 0, .help = "tenant that the user belongs to" },
	{ "password", HF_F_STRING, HF_IN_BODY, HF_FF_SECRET, 1, 1024,
	  .help = "must be changed at the first login; without one there is none" },
	{ "uid", HF_F_INT, HF_IN_BODY, 0, 0, 4294967294,
	  .help = "uid that this user has on the host: known without a password on unix sockets" },
	END
};
static const struct hf_field a_user_change[] = {
	F_USER,
	{ "role", HF_F_ENUM, HF_IN_BODY, 0, .words = role_words, .help = "role" },
	{ "tenant", HF_F_STRING, HF_IN_BODY, 0, 0, 32, .help = "tenant, empty for none" },
	{ "uid", HF_F_INT, HF_IN_BODY, 0, -1, 4294967294, .help = "uid on the host, -1 for none" },
	{ "disabled", HF_F_BOOL, HF_IN_BODY, 0, .help = "may not log in" }, END
};
static const struct hf_field a_user[] = { F_USER, END };
static const struct hf_field a_user_password[] = {
	F_USER, F_PASSWORD("password", "new password, to be changed at the first login"), END
};

static const struct hf_field a_silence[] = {
	F_ARRAY,
	{ "latch", HF_F_BOOL, HF_IN_BODY, 0, .help = "trip: silent until somebody entitled resets it" },
	END
};
static const struct hf_field a_silence_all[] = {
	{ "latch", HF_F_BOOL, HF_IN_BODY, 0, .help = "trip: silent until somebody entitled resets it" },
	END
};
static const struct hf_field a_act[] = { F_ARRAY, F_COMMENT, END };
static const struct hf_field a_fence_points[] = {
	{ "x_um", HF_F_INT, HF_IN_BODY, REQ, -10000000, 10000000, .help = "um" },
	{ "y_um", HF_F_INT, HF_IN_BODY, REQ, -10000000, 10000000, .help = "um" },
	{ "z_um", HF_F_INT, HF_IN_BODY, REQ, -10000000, 10000000, .help = "um" },
	{ "limit_mpa", HF_F_INT, HF_IN_BODY, REQ, 1, 4294967295, .help = "peak pressure, mPa" }, END
};
static const struct hf_field a_tighten[] = {
	F_ARRAY,
	{ "limits", HF_F_LIMITS, HF_IN_BODY, 0, .help = "limits to tighten, by name" },
	{ "fence", HF_F_ARRAY, HF_IN_BODY, 0, 1, 64, .sub = a_fence_points,
	  .help = "fence points to add" },
	F_COMMENT, END
};
static const struct hf_field a_events[] = {
	F_ARRAY,
	{ "after", HF_F_INT, HF_IN_QUERY, 0, 0, INT64_MAX, .help = "sequence number of the last one known" },
	F_LIMIT(200), END
};
static const struct hf_field a_lease[] = {
	F_ARRAY,
	{ "lease", HF_F_INT, HF_IN_PATH, REQ, 1, INT64_MAX, .help = "id of the lease" }, F_COMMENT, END
};
static const struct hf_field a_tenant[] = {
	{ "tenant", HF_F_NAME, HF_IN_PATH, REQ, .help = "name of the tenant" }, F_COMMENT, END
};

static const struct hf_field a_audit_read[] = {
	F_SINCE, F_UNTIL,
	{ "actor", HF_F_STRING, HF_IN_QUERY, 0, 1, 32, .help = "name of who did it" },
	{ "action", HF_F_STRING, HF_IN_QUERY, 0, 1, 64, .help = "action, or a prefix that ends in a dot" },
	{ "object", HF_F_STRING, HF_IN_QUERY, 0, 1, 96, .help = "what it was done to" },
	{ "result", HF_F_STRING, HF_IN_QUERY, 0, 1, 16, .help = "ok, refused, error or unknown" },
	{ "corr", HF_F_HEX, HF_IN_QUERY, 0, 32, 32, .help = "correlation id" },
	{ "after_seq", HF_F_INT, HF_IN_QUERY, 0, 0, INT64_MAX, .help = "only records behind this one" },
	{ "newest", HF_F_BOOL, HF_IN_QUERY, 0, .help = "the last ones instead of the first" },
	F_LIMIT(200), END
};
static const struct hf_field a_audit_seq[] = {
	{ "seq", HF_F_INT, HF_IN_PATH, REQ, 1, INT64_MAX, .help = "sequence number" }, END
};
static const struct hf_field a_audit_proof[] = {
	{ "seq", HF_F_INT, HF_IN_QUERY, 0, 1, INT64_MAX, .help = "record to prove the inclusion of" }, END
};
static const struct hf_field a_report[] = {
	{ "hours", HF_F_INT, HF_IN_QUERY, 0, 1, 8760,
	  .help = "how far back (default 24); not together with since_ns" },
	F_SINCE, END
};
static const struct hf_field a_comment[] = { F_COMMENT, END };

#define F_INCIDENT	{ "incident", HF_F_INT, HF_IN_PATH, REQ, 1, INT64_MAX, .help = "id of the incident" }

static const char *const incident_words[] = { "open", "acknowledged", "resolved", "unresolved", NULL };
static const struct hf_field a_incidents[] = {
	{ "state", HF_F_ENUM, HF_IN_QUERY, 0, .words = incident_words,
	  .help = "only these; unresolved: open or acknowledged" },
	{ "since", HF_F_INT, HF_IN_QUERY, 0, 0, INT64_MAX,
	  .help = "those that changed behind this rev, the oldest change first; without it the newest by id" },
	F_LIMIT(64), END
};
static const struct hf_field a_incident[] = { F_INCIDENT, END };
static const struct hf_field a_incident_act[] = {
	F_INCIDENT,
	{ "comment", HF_F_STRING, HF_IN_BODY, 0, 0, 200, .help = "why, for the timeline and the record" },
	END
};
static const struct hf_field a_incident_note[] = {
	F_INCIDENT,
	{ "text", HF_F_STRING, HF_IN_BODY, REQ, 1, 512, .help = "what is to be remembered" }, END
};

static const struct hf_field a_config[] = { F_CONFIG, END };
static const struct hf_field a_config_apply[] = { F_CONFIG, F_COMMENT, END };
static const struct hf_field a_config_version[] = {
	{ "version", HF_F_INT, HF_IN_BODY, REQ, 1, 999999, .help = "version to go back to" },
	F_COMMENT, END
};
static const struct hf_field a_secret_set[] = {
	{ "secret", HF_F_NAME, HF_IN_PATH, REQ, .help = "name of the secret" },
	{ "value", HF_F_STRING, HF_IN_BODY, SECRET | HF_FF_LINES, 1, 8192, .help = "the secret" }, END
};
static const struct hf_field a_secret[] = {
	{ "secret", HF_F_NAME, HF_IN_PATH, REQ, .help = "name of the secret" }, END
};

#define ANY	HF_ROLE_ALL
#define KNOWN	HF_ROLE_ANYONE_KNOWN
#define PEOPLE	(HF_ROLE_USER | HF_ROLE_OPERATOR | HF_ROLE_ADMIN)
#define OPER	(HF_ROLE_OPERATOR | HF_ROLE_ADMIN)
#define ADMIN	HF_ROLE_ADMIN
#define WATCH	(HF_ROLE_OPERATOR | HF_ROLE_ADMIN | HF_ROLE_SYSTEM)

#define NET	HF_OP_NET
#define STEPUP	HF_OP_STEPUP
#define PRIV	HF_OP_PRIV
#define QUIET	HF_OP_QUIET
#define TENANT	HF_OP_TENANT
#define SELF	HF_OP_SELF
#define LOGIN	HF_OP_LOGIN
#define RAISES	HF_OP_RAISES
#define FRESH	HF_OP_FRESH

#define OP(n, m, p, r, f, t, a, s, w) \
	{ .name = n, .method = m, .path = p, .roles = r, .flags = f, .target = HF_PROC_##t, .args = a, \
	  .summary = s, .answer = w }

const struct hf_op hf_ops[] = {
	/* about the agent */
	OP("version", "GET", "/v1/version", ANY, NET, AUTH, a_none,
	   "version of the agent and of the API", "agent, api, first_run"),
	OP("status", "GET", "/v1/status", WATCH, NET, PARENT, a_none,
	   "processes of the agent",
	   "version, since_ns, level, standbys, processes[] { role, state, pid, restarts, up_ms, last_exit }; not for who "
	   "belongs to a tenant: usage, and stats of each process"),
	OP("health", "GET", "/health/detailed", WATCH, NET, PARENT, a_none,
	   "what is well, what is not, why, since when and where it is going",
	   "health, level, ready, started, checks[] { name, what, health, since_ns, text, value, bound, trend_per_s, "
	   "reaches_bound_in_s, history[], remedy }"),
	OP("whoami", "GET", "/v1/whoami", KNOWN, NET | FRESH, AUTH, a_none,
	   "who the agent takes the caller for", "actor, must_change_password"),

	/* sessions */
	OP("setup", "POST", "/v1/setup", ANY, LOGIN, AUTH, a_setup,
	   "make the first admin, with the one-time secret", "user"),
	OP("login", "POST", "/v1/login", ANY, NET | LOGIN, AUTH, a_login,
	   "begin a session; the cookie holds it", "session, role, expires_ns, must_change_password"),
	OP("logout", "POST", "/v1/logout", KNOWN, NET | FRESH, AUTH, a_none, "end this session", "ended"),
	OP("session.rotate", "POST", "/v1/session/rotate", PEOPLE, NET, AUTH, a_none,
	   "a new secret for this session", "session, expires_ns"),
	OP("session.step_up", "POST", "/v1/session/step-up", PEOPLE, NET | LOGIN, AUTH, a_step_up,
	   "prove the password again, for what needs it", "until_ns"),
	OP("session.list", "GET", "/v1/sessions", PEOPLE, NET | SELF, AUTH, a_none,
	   "sessions there are", "sessions[]"),
	OP("session.revoke", "DELETE", "/v1/sessions/{session}", PEOPLE, NET | SELF, AUTH, a_session,
	   "end a session", "ended"),
	OP("token.create", "POST", "/v1/tokens", KNOWN, NET, AUTH, a_token_new,
	   "a signed token for a program", "token, id, expires_ns"),
	OP("token.list", "GET", "/v1/tokens", KNOWN, NET | SELF, AUTH, a_none, "tokens there are", "tokens[]"),
	OP("token.revoke", "DELETE", "/v1/tokens/{token}", KNOWN, NET | SELF, AUTH, a_token,
	   "end a token", "ended"),
	OP("password.change", "POST", "/v1/password", PEOPLE, NET | LOGIN | FRESH, AUTH, a_password,
	   "change one's own password; ends one's other sessions", "changed"),
	OP("totp.begin", "POST", "/v1/totp", PEOPLE, NET | STEPUP, AUTH, a_none,
	   "a new second factor, not in force yet", "secret, uri"),
	OP("totp.confirm", "POST", "/v1/totp/confirm", PEOPLE, NET | STEPUP, AUTH, a_totp,
	   "put the second factor in force", "enabled"),
	OP("totp.remove", "DELETE", "/v1/totp", PEOPLE, NET | STEPUP, AUTH, a_none,
	   "do without the second factor", "enabled"),

	/* users */
	OP("user.list", "GET", "/v1/users", ADMIN, NET, AUTH, a_none, "users there are", "users[]"),
	OP("user.create", "POST", "/v1/users", ADMIN, NET | STEPUP | PRIV, AUTH, a_user_new, "a new user",
	   "user"),
	OP("user.change", "PATCH", "/v1/users/{user}", ADMIN, NET | STEPUP | PRIV, AUTH, a_user_change,
	   "change a user; ends the user's sessions and tokens", "user"),
	OP("user.remove", "DELETE", "/v1/users/{user}", ADMIN, NET | STEPUP | PRIV, AUTH, a_user,
	   "remove a user", "removed"),
	OP("user.password", "POST", "/v1/users/{user}/password", ADMIN, NET | STEPUP | PRIV | LOGIN, AUTH,
	   a_user_password, "give a user a new password", "changed"),
	OP("user.unlock", "POST", "/v1/users/{user}/unlock", ADMIN, NET | PRIV, AUTH, a_user,
	   "end a lock-out", "unlocked"),
	OP("key.rotate", "POST", "/v1/keys/rotate", ADMIN, NET | STEPUP | PRIV, AUTH, a_comment,
	   "a new key for signing tokens; the one before is good until its tokens have expired", "kid"),

	/* arrays: whoever is known may silence */
	OP("silence", "POST", "/v1/silence", KNOWN, NET | QUIET | FRESH, KEEPER, a_silence_all,
	   "silence all arrays", "silenced"),
	OP("array.silence", "POST", "/v1/arrays/{array}/silence", KNOWN, NET | QUIET | FRESH, KEEPER,
	   a_silence, "silence an array", "silenced"),
	OP("array.list", "GET", "/v1/arrays", KNOWN, NET | TENANT, KEEPER, a_none, "arrays there are",
	   "arrays[]"),
	OP("array.get", "GET", "/v1/arrays/{array}", KNOWN, NET | TENANT, KEEPER, a_array,
	   "state, sensors, counters", "array"),
	OP("array.limits", "GET", "/v1/arrays/{array}/limits", KNOWN, NET | TENANT, KEEPER, a_array,
	   "nameplate, site and effective limits, fence", "limits, fence"),
	OP("array.metrics", "GET", "/v1/arrays/{array}/metrics", WATCH, NET | TENANT, KEEPER, a_array,
	   "what GET /metrics has of an array", "array, limits, fence[]"),
	OP("array.events", "GET", "/v1/arrays/{array}/events", WATCH, NET | TENANT, KEEPER, a_events,
	   "events that the keeper still has", "events[], newest"),
	OP("array.trip", "GET", "/v1/arrays/{array}/trip", WATCH, NET | TENANT, KEEPER, a_array,
	   "record of the last trip", "trip"),
	OP("array.blackbox", "GET", "/v1/arrays/{array}/blackbox", WATCH, NET | TENANT, KEEPER, a_array,
	   "what led to it", "entries[], frozen"),
	OP("array.arm", "POST", "/v1/arrays/{array}/arm", OPER, NET | STEPUP | PRIV | TENANT | RAISES, KEEPER,
	   a_act, "arm an array", "state"),
	OP("array.reset", "POST", "/v1/arrays/{array}/reset", OPER, NET | STEPUP | PRIV | TENANT | RAISES,
	   KEEPER, a_act, "reset a trip; may need a second person", "state, or pending"),
	OP("array.self_test", "POST", "/v1/arrays/{array}/self-test", OPER, PRIV | TENANT, KEEPER, a_act,
	   "test rules, silence, sensors, hardware, timer", "run, failed"),
	OP("array.tighten", "POST", "/v1/arrays/{array}/tighten", OPER, NET | PRIV | TENANT, KEEPER, a_tighten,
	   "tighten limits and add fence points; loosening is refused", "generation"),
	OP("array.seal", "POST", "/v1/arrays/{array}/seal", ADMIN, NET | PRIV, KEEPER, a_act,
	   "from now until reboot limits can only be tightened", "sealed"),
	OP("lease.list", "GET", "/v1/arrays/{array}/leases", KNOWN, NET | TENANT, KEEPER, a_array,
	   "leases there are", "leases[]"),
	OP("lease.revoke", "DELETE", "/v1/arrays/{array}/leases/{lease}", PEOPLE,
	   NET | PRIV | TENANT | QUIET, KEEPER, a_lease, "end a lease", "revoked"),
	OP("tenant.list", "GET", "/v1/tenants", KNOWN, NET | TENANT, KEEPER, a_none,
	   "tenants, quotas and what is used of them", "tenants[]"),
	OP("tenant.reset_quota", "POST", "/v1/tenants/{tenant}/reset-quota", ADMIN,
	   NET | STEPUP | PRIV | RAISES, KEEPER, a_tenant, "give a tenant its quota anew", "tenant"),

	/* incidents */
	OP("incident.list", "GET", "/v1/incidents", WATCH, NET | TENANT, EXPORT, a_incidents,
	   "what is or was wrong, from the oldest",
	   "incidents[] { id, key, title, detail, severity, state, standing, opened_ns, changed_ns, ended_ns, "
	   "repeats, reopened, change, rev }, rev, more"),
	OP("incident.show", "GET", "/v1/incidents/{incident}", WATCH, NET | TENANT, EXPORT, a_incident,
	   "one incident with its timeline and annotations",
	   "incident { ..., timeline[] { t_ns, what, who, text, corr }, notes[], tenants[] }"),
	OP("incident.report", "GET", "/v1/incidents/{incident}/report", WATCH, NET | TENANT, EXPORT, a_incident,
	   "all that is kept of it, the record of the trip and the black box included",
	   "report { ..., evidence { serial, trip, blackbox { entries[], frozen } }, latest }"),
	OP("incident.acknowledge", "POST", "/v1/incidents/{incident}/acknowledge", OPER, NET | PRIV | TENANT,
	   EXPORT, a_incident_act, "somebody sees to it", "incident"),
	OP("incident.annotate", "POST", "/v1/incidents/{incident}/annotate", OPER, NET | PRIV | TENANT, EXPORT,
	   a_incident_note, "write something down with it", "incident"),
	OP("incident.resolve", "POST", "/v1/incidents/{incident}/resolve", OPER, NET | PRIV | TENANT, EXPORT,
	   a_incident_act, "it is over; refused while it is known to be wrong still", "incident"),

	/* audit */
	OP("audit.read", "GET", "/v1/audit", HF_ROLE_ADMIN | HF_ROLE_SYSTEM, NET, AUDIT, a_audit_read,
	   "records that match", "records[], more"),
	OP("audit.show", "GET", "/v1/audit/records/{seq}", HF_ROLE_ADMIN | HF_ROLE_SYSTEM, NET, AUDIT,
	   a_audit_seq, "one record", "record"),
	OP("audit.checkpoint", "GET", "/v1/audit/checkpoint", KNOWN, NET, AUDIT, a_audit_proof,
	   "newest signed checkpoint, and a proof that a record is in it", "checkpoint, proof[]"),
	OP("audit.stats", "GET", "/v1/audit/stats", WATCH, NET, AUDIT, a_none,
	   "durable sequence number, segments, disk", "stats"),
	OP("audit.acknowledge", "POST", "/v1/audit/acknowledge", ADMIN, STEPUP, AUDIT, a_comment,
	   "go on after a break of the chain was found", "acknowledged"),
	OP("security.report", "GET", "/v1/security/report", ADMIN, NET, AUDIT, a_report,
	   "who did what, who tried what, what was blocked", "report"),

	/* configuration */
	OP("config.get", "GET", "/v1/config", ADMIN, NET, PARENT, a_none, "the configuration in force",
	   "version, text, effective"),
	OP("config.check", "POST", "/v1/config/check", ADMIN, NET, PARENT, a_config,
	   "would this be accepted?", "errors[]"),
	OP("config.diff", "POST", "/v1/config/diff", ADMIN, NET, PARENT, a_config,
	   "what this would change", "changes[]"),
	OP("config.apply", "POST", "/v1/config/apply", ADMIN, STEPUP | PRIV, PARENT, a_config_apply,
	   "take this configuration, all of it or nothing", "version, changes[]"),
	OP("config.history", "GET", "/v1/config/history", ADMIN, NET, PARENT, a_none, "versions kept",
	   "versions[]"),
	OP("config.rollback", "POST", "/v1/config/rollback", ADMIN, STEPUP | PRIV, PARENT, a_config_version,
	   "go back to a version", "version, changes[]"),

	/* secrets, backup */
	OP("secret.list", "GET", "/v1/secrets", ADMIN, 0, AUTH, a_none, "names and dates of secrets",
	   "secrets[]"),
	OP("secret.set", "PUT", "/v1/secrets/{secret}", ADMIN, STEPUP | PRIV, AUTH, a_secret_set,
	   "keep a secret", "set"),
	OP("secret.remove", "DELETE", "/v1/secrets/{secret}", ADMIN, STEPUP | PRIV, AUTH, a_secret,
	   "forget a secret", "removed"),
	OP("secret.rotate", "POST", "/v1/secrets/rotate", ADMIN, STEPUP | PRIV, AUTH, a_comment,
	   "encrypt all secrets with a new master key", "rotated"),
	OP("backup.create", "POST", "/v1/backup", ADMIN, STEPUP | PRIV, PARENT, a_comment,
	   "write a signed archive of users, configuration, audit log and state", "path, sha256"),
	{ .name = NULL }
};

const struct hf_op *hf_op_find(const char *name)
{
	for (const struct hf_op *op = hf_ops; op->name; op++)
		if (!strcmp(op->name, name))
			return op;
	return NULL;
}

enum hf_denial hf_op_authorise(const struct hf_op *op, const struct hf_actor *a, bool remote_arming)
{
	bool remote = a->via == HF_VIA_NETWORK;

	if (!(op->roles & (uint32_t)a->role))
		return a->role == HF_ROLE_PUBLIC ? HF_DENIED_UNAUTHENTICATED : HF_DENIED_ROLE;
	if (remote && !(op->flags & HF_OP_NET))
		return HF_DENIED_NETWORK;
	if (remote && op->flags & HF_OP_RAISES && !remote_arming)
		return HF_DENIED_NETWORK;
	if (op->flags & HF_OP_STEPUP && !a->stepped_up)
		return HF_DENIED_STEP_UP;
	return HF_ALLOWED;
}

int hf_denial_status(enum hf_denial d)
{
	switch (d) {
	case HF_ALLOWED:
		return 200;
	case HF_DENIED_UNAUTHENTICATED:
		return 401;
	case HF_DENIED_TENANT:
		return 404;
	default:
		return 403;
	}
}

const char *hf_denial_code(enum hf_denial d)
{
	static const char *const words[] = { "allowed", "unauthenticated", "role", "network", "step_up",
					     "not_found" };

	return words[d];
}
