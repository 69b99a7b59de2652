// SPDX-License-Identifier: GPL-2.0
/*
 * Runs in a guest as root: the real keeper process, with its user, capabilities
 * and filter, on a simulated array; parent, auth and audit are played here, so
 * that they can be slow, silent or gone when the test wants it. Programs are
 * processes of other uids. Judged by the emission ledger. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "ipc.h"
#include "ledger.h"
#include "libholdfast.h"
#include "service.h"
#include "tap.h"

#define ANNA	1001	/* tenant lab: array 0 */
#define BEN	1002	/* tenant other: array 9 */
#define EVE	1003	/* nobody */
#define LATE	1004	/* tenant late: never open today */

/* The condition first, then the words about what it left behind. */
#define check(ok, ...)	do { bool ok_ = (ok); tap_ok(ok_, __VA_ARGS__); } while (0)

enum answering { PROMPT, HANGS };

static struct hf_loop *loop;
static unsigned int state = HF_ST_RUNNING;
static struct hf_link *control, *audit, *auth;
static enum answering audit_is, auth_is;
static pid_t keeper;
static bool keeper_gone;
static uint64_t seq;
static json_t *records;		/* { action, phase, result, ... } in order */
static int last_status;
static json_t *last_result;
static bool answered;
static struct scene_array array;
static struct ledger ledger;
static struct emissions sound;

static void ms(unsigned int n)
{
	__u64 until = scene_now_ns() + n * SCENE_MS;

	while (scene_now_ns() < until)
		hf_loop_once(loop, 2);
	emissions_read(&sound, &ledger);
}

/* --------------------------------------------------------- audit and auth */

static void audit_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	json_array_append(records, (json_t *)m->body);
	if (audit_is == PROMPT)
		hf_link_reply(l, m->id, &m->corr, 200,
			      json_pack("{s:I}", "seq", (json_int_t)++seq));
}

static void auth_message(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	json_int_t uid = json_integer_value(json_object_get(m->body, "uid"));
	const char *tenant = uid == ANNA ? "lab" : uid == BEN ? "other" : uid == LATE ? "late" : "";

	(void)arg;
	if (auth_is == HANGS)
		return;
	if (uid == EVE)
		hf_link_error(l, m->id, &m->corr, 404, "not_found", "nobody");
	else
		hf_link_reply(l, m->id, &m->corr, 200,
			      json_pack("{s:s, s:s, s:s}", "name", uid ? tenant : "root", "role",
					uid ? "user" : "admin", "tenant", tenant));
}

static void nothing(void *arg, struct hf_link *l, struct hf_ipc_msg *m)
{
	(void)arg;
	(void)l;
	(void)m;
}

static void closed(void *arg, struct hf_link *l, const char *why)
{
	(void)why;
	if (l == control)
		keeper_gone = true;
	*(struct hf_link **)arg = NULL;
}

static const struct hf_link_ops audit_ops = { audit_message, closed };
static const struct hf_link_ops auth_ops = { auth_message, closed };
static const struct hf_link_ops control_ops = { nothing, closed };

static size_t recorded(const char *action, const char *phase)
{
	const json_t *r;
	size_t i, n = 0;

	json_array_foreach(records, i, r)
		n += !strcmp(json_string_value(json_object_get(r, "action")), action) &&
		     !strcmp(json_string_value(json_object_get(r, "phase")), phase);
	return n;
}

/* A record that nobody waits for may come after the answer. */
static bool recorded_within(unsigned int limit_ms, const char *action, const char *phase, size_t n)
{
	uint64_t end = hf_mono_ns(&hf_system_clock) + limit_ms * HF_MS;

	while (recorded(action, phase) < n && hf_mono_ns(&hf_system_clock) < end)
		hf_loop_once(loop, 5);
	return recorded(action, phase) == n;
}

/* -------------------------------------------------------------- the parent */

static void on_answer(void *arg, int status, const json_t *result)
{
	(void)arg;
	last_status = status;
	json_decref(last_result);
	last_result = json_incref((json_t *)result);
	answered = true;
}

static int ask(struct hf_link *l, enum hf_msg type, json_t *body, int fd)
{
	answered = false;
	if (hf_link_request(l, type, NULL, body, fd, hf_mono_ns(&hf_system_clock) + 10 * HF_S,
			    on_answer, NULL))
		return 0;
	while (!answered)
		hf_loop_once(loop, 5);
	return last_status;
}

static struct hf_link *peer(enum hf_proc who, const struct hf_link_ops *ops, struct hf_link **slot)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		tap_bail("socketpair");
	if (hf_link_new(slot, loop, sv[0], who, HF_PROC_KEEPER, &state, ops, slot))
		tap_bail("link");
	if (ask(control, HF_MSG_PEER, json_pack("{s:s}", "role", hf_proc_name(who)), sv[1]) != 200)
		tap_bail("PEER: %d", last_status);
	close(sv[1]);
	return *slot;
}

static void audit_says_durable(void)
{
	if (hf_link_send(audit, HF_MSG_DURABLE, NULL, json_pack("{s:b, s:s}", "durable", 1, "why", ""),
			 -1))
		tap_bail("DURABLE");
}

static json_t *config(bool two_person)
{
	json_t *j = json_loads(
		"{\"environment\":\"test\",\"log\":{\"level\":\"info\"},"
		"\"health\":{\"temperature_margin_mc\":5000,\"self_test_hours\":24,\"calibration_days\":365},"
		"\"paths\":{\"state\":\"/var/lib/holdfast\",\"run\":\"/run/holdfast\"},"
		"\"arrays\":[{\"match\":\"lab\",\"limits\":{\"power_avg\":25000000},\"fence\":[]}],"
		"\"keeper\":{\"seal\":true,\"beat_ms\":100,\"lease_max_s\":3600,\"audit_grace_ms\":700,"
		" \"reset_two_person\":false,\"group\":\"holdfast\",\"disarm_on_auth_loss\":false},"
		"\"tenants\":[{\"name\":\"lab\",\"id\":7,\"arrays\":[0],\"rights\":[\"frames\",\"raw\"],"
		"  \"windows\":[],\"limits\":{},\"fence\":[],\"quota\":{\"emission_ms\":8000,\"per_hours\":24},"
		"  \"max_leases\":6,\"max_lease_s\":600},"
		" {\"name\":\"other\",\"id\":8,\"arrays\":[9],\"rights\":[\"frames\"],\"windows\":[],"
		"  \"quota\":{\"per_hours\":24},\"max_leases\":4,\"max_lease_s\":600},"
		" {\"name\":\"late\",\"id\":9,\"arrays\":[0],\"rights\":[\"frames\"],\"windows\":[],"
		"  \"quota\":{\"per_hours\":24},\"max_leases\":4,\"max_lease_s\":600}]}",
		0, NULL);
	static const char *const day[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	localtime_r(&now, &tm);
	snprintf(text, sizeof(text), "%s 00:00-24:00", day[(tm.tm_wday + 3) % 7]);
	json_array_append_new(
		json_object_get(json_array_get(json_object_get(j, "tenants"), 2), "windows"),
		json_string(text));
	json_object_set_new(json_object_get(j, "keeper"), "reset_two_person",
			    json_boolean(two_person));
	return j;
}

static void keeper_start(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
		tap_bail("socketpair");
	keeper = fork();
	if (!keeper) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(sv[1], 3);
		close_range(4, ~0U, 0);
		execl("/proc/self/exe", "keeper_live", "-x", "keeper", NULL);
		_exit(127);
	}
	close(sv[1]);
	keeper_gone = false;
	if (hf_link_new(&control, loop, sv[0], HF_PROC_PARENT, HF_PROC_KEEPER, &state, &control_ops,
			&control))
		tap_bail("link");
	if (ask(control, HF_MSG_CONFIG, json_pack("{s:o}", "config", config(false)), -1) != 200)
		tap_bail("CONFIG: %d %s", last_status, json_dumps(last_result, 0));
	peer(HF_PROC_AUDIT, &audit_ops, &audit);
	audit_says_durable();
	peer(HF_PROC_AUTH, &auth_ops, &auth);
	if (ask(control, HF_MSG_START, json_object(), -1) != 200)
		tap_bail("START: %d %s", last_status, json_dumps(last_result, 0));
}

static void keeper_reaped(void)
{
	waitpid(keeper, NULL, 0);
	for (int i = 0; i < 200 && (control || audit || auth); i++)
		hf_loop_once(loop, 5);
}

static int call(const char *op, const char *who, const char *role, json_t *args)
{
	struct hf_actor a = { .role = (enum hf_role)hf_role_parse(role), .uid = (uint32_t)-1,
			      .stepped_up = true };

	snprintf(a.name, sizeof(a.name), "%s", who);
	return ask(auth, HF_MSG_CALL, json_pack("{s:s, s:o, s:o}", "op", op, "args", args, "actor",
						hf_actor_json(&a)), -1);
}

static json_t *array_0(void)
{
	return json_pack("{s:i}", "array", array.index);
}

/* The parent may have a self-test run, as a remedy, and nothing else done. */
static int parent_call(const char *op, json_t *args)
{
	return ask(control, HF_MSG_CALL, json_pack("{s:s, s:o, s:o}", "op", op, "args", args, "actor",
						   hf_actor_json(&hf_actor_self)), -1);
}

static json_t *beat_stats(void)
{
	if (ask(control, HF_MSG_PING, json_pack("{s:s}", "nonce", "0123456789abcdef"), -1) != 200)
		return NULL;
	return json_array_get(json_object_get(json_object_get(last_result, "stats"), "arrays"), 0);
}

/* ---------------------------------------------------------------- programs */

/* A program of another uid: asks, says what came of it, and plays if it may. */
struct program {
	pid_t pid;
	int out;
	int error;	/* of its request */
	char text[HOLDFAST_TEXT_LEN];
};

struct word {
	int error;
	char text[HOLDFAST_TEXT_LEN];
};

static void become(uid_t uid)
{
	gid_t gid = getgrnam("holdfast")->gr_gid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgroups(1, &gid) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(126);
}

/* Nothing of the test stays open here: a link that somebody holds does not close. */
static int alone(int out)
{
	if (dup2(out, 3) != 3 || close_range(4, ~0U, 0))
		_exit(125);
	return 3;
}

static void __attribute__((noreturn))
program_run(int out, uid_t uid, uint32_t index, uint32_t rights, bool plays)
{
	struct holdfast_lease_request req = { .array = index,
					      .rights = rights,
					      .label = "a program" };
	struct holdfast_frame *f;
	struct holdfast_array *lease;
	struct word w = { 0 };

	out = alone(out);
	become(uid);
	w.error = holdfast_lease_request(&lease, NULL, &req, 6000, w.text);
	if (write(out, &w, sizeof(w)) != sizeof(w) || w.error)
		_exit(1);
	f = scene_frame_new(array.info.channels, 0);
	scene_frame_flat(f, 6000);
	while (plays && !(w.error = scene_write(holdfast_fd(lease), f)))
		scene_sleep_ms(10);
	while (!plays)
		pause();
	(void)!write(out, &w, sizeof(w));
	_exit(0);
}

static struct program program(uid_t uid, uint32_t index, uint32_t rights, bool plays)
{
	struct program p = { 0 };
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC))
		tap_bail("pipe");
	p.pid = fork();
	if (!p.pid)
		program_run(pipes[1], uid, index, rights, plays);
	close(pipes[1]);
	p.out = pipes[0];
	fcntl(p.out, F_SETFL, O_NONBLOCK);
	return p;
}

/* Its next word: 1; 0: none in time. */
static int hear(struct program *p, unsigned int most_ms)
{
	__u64 until = scene_now_ns() + most_ms * SCENE_MS;
	struct word w;

	do {
		ms(5);
		if (read(p->out, &w, sizeof(w)) == sizeof(w)) {
			p->error = w.error;
			memcpy(p->text, w.text, sizeof(p->text));
			return 1;
		}
	} while (scene_now_ns() < until);
	return 0;
}

static void end(struct program *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->out);
}

static bool is_sounding(void)
{
	emissions_read(&sound, &ledger);
	return sound.on;
}

static bool sounds_within(unsigned int most_ms)
{
	for (unsigned int t = 0; t < most_ms && !is_sounding(); t += 10)
		ms(10);
	return is_sounding();
}

/* Dark at the latest @most_ms after @from_ns. */
static bool dark_by(__u64 from_ns, unsigned int most_ms)
{
	while (is_sounding() && scene_now_ns() < from_ns + 10000 * SCENE_MS)
		ms(5);
	tap_note("dark %lld us after", (long long)(sound.dark_ns - from_ns) / 1000);
	return !is_sounding() &&
	       (sound.dark_ns < from_ns || sound.dark_ns - from_ns <= most_ms * SCENE_MS);
}

static int arm(void)
{
	return call("array.arm", "root", "admin", array_0());
}

/* ------------------------------------------------------------------- tests */

static void test_start(void)
{
	struct holdfast_envelope env;
	int fd = scene_open(&array, O_RDONLY);
	struct holdfast_status st;

	scene_env_get(fd, HOLDFAST_ENV_SITE, &env);
	scene_status(fd, &st);
	check(env.limit[HOLDFAST_LIM_POWER_AVG] == 25000000, "the site's limit is in force");
	check(st.sealed, "sealed");
	check(st.state == HOLDFAST_STATE_SILENT, "silent");
	close(fd);
	ms(100);
	check(recorded("kernel.keeper", "event") >= 1 && recorded("kernel.seal", "event") == 1 &&
		      recorded("kernel.added", "event") == 1,
	      "what happened before and since is recorded");
	check(call("array.get", "root", "admin", array_0()) == 200, "array.get: %d", last_status);
	check(call("array.limits", "root", "admin", array_0()) == 200, "array.limits: %d",
	      last_status);
	check(call("array.events", "root", "admin", array_0()) == 200, "array.events: %d",
	      last_status);
	check(call("array.trip", "root", "admin", array_0()) == 200, "array.trip: %d", last_status);
	check(call("array.blackbox", "root", "admin", array_0()) == 200, "array.blackbox: %d",
	      last_status);
	check(parent_call("array.arm", array_0()) == 403 && parent_call("array.silence", array_0()) == 403 &&
	      parent_call("lease.revoke_actor", json_object()) == 403,
	      "the parent cannot have an array armed: %d", last_status);
	check(parent_call("array.self_test", array_0()) == 200, "but a self-test run: %d", last_status);
	check(parent_call("array.self_test", json_pack("{s:i}", "array", 63)) == 409 &&
	      parent_call("array.self_test", json_object()) == 409, "of an array that is there: %d", last_status);
	ms(1000);	/* it is over: one at a time */
	check(call("array.self_test", "root", "admin", array_0()) == 200 &&
		      json_integer_value(json_object_get(last_result, "failed")) == 0,
	      "self-test: %d", last_status);
	check(call("array.arm", "u", "user", array_0()) == 403, "a user may not arm: %d",
	      last_status);
}

static void refused(uid_t uid, uint32_t index, uint32_t rights, int error, const char *text)
{
	struct program p = program(uid, index, rights, false);
	int got = hear(&p, 5000);

	check(got && p.error == error && strstr(p.text, text),
	      "uid %u, array %u, rights %u: %d \"%s\"", uid, index, rights, p.error, p.text);
	end(&p);
}

static void test_leases(void)
{
	struct program p;
	__u64 t, offs;

	refused(EVE, 0, 1, -EACCES, "uid 1003 is nobody whom auth knows");
	refused(BEN, 0, 1, -ENODEV, "there is no array 0");
	refused(LATE, 0, 1, -EACCES, "tenant late may have leases");
	refused(ANNA, 0, 5, -EPERM, "rights frames+arm");
	check(recorded_within(2000, "lease.create", "denied", 3),
	      "refusals of known people are recorded");
	check(arm() == 200, "armed: %d", last_status);
	check(recorded("array.arm", "intent") == 1 && recorded("array.arm", "outcome") == 1,
	       "intent and outcome of arming");
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000) && !p.error, "a lease for another uid: %d %s", p.error, p.text);
	check(sounds_within(1000), "and sound through it");
	check(recorded("lease.create", "intent") == 1 && recorded("lease.create", "outcome") == 1,
	       "intent and outcome of the lease");
	ms(100);
	offs = sound.offs;
	check(parent_call("array.self_test", array_0()) == 200, "a remedy's self-test while it sounds: %d",
	      last_status);
	ms(500);
	check(is_sounding() && sound.offs == offs, "the sound goes on, by the ledger");
	check(call("lease.list", "ben", "user", array_0()) == 404,
	      "another's tenant: as if not there: %d", last_status);
	check(call("lease.list", "root", "admin", array_0()) == 200 &&
	       json_array_size(json_object_get(last_result, "leases")) == 1, "the list of leases");
	t = scene_now_ns();
	check(call("lease.revoke", "root", "admin",
		   json_pack("{s:i, s:O}", "array", 0, "lease",
			     json_object_get(
				     json_array_get(json_object_get(last_result, "leases"), 0),
				     "lease"))) == 200,
	      "revoked: %d", last_status);
	check(dark_by(t, 50), "revoking ends the sound");
	check(hear(&p, 1000) && p.error, "the program is told: %d", p.error);
	end(&p);
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000) && sounds_within(1000), "again");
	t = scene_now_ns();
	check(call("silence", "x", "system", json_object()) == 200, "silence by anybody known: %d",
	      last_status);
	check(dark_by(t, 50), "is silence");
	end(&p);
	ms(50);
}

static void test_many(void)
{
	struct program p[24];
	int granted = 0, full = 0;

	for (int i = 0; i < 24; i++)
		p[i] = program(i < 12 ? ANNA : 0, 0, 1, false);
	for (int i = 0; i < 24; i++) {
		check(hear(&p[i], 4000), "program %d of 24 at once is answered: %d %s", i,
		      p[i].error, p[i].text);
		granted += !p[i].error;
		full += p[i].error == -EDQUOT || p[i].error == -ENOSPC;
	}
	check(granted == 16 && full == 8, "16 leases, 6 of them the tenant's, %d refused", full);
	for (int i = 0; i < 24; i++)
		end(&p[i]);
	ms(100);
	check(call("lease.list", "root", "admin", array_0()) == 200 &&
		      !json_array_size(json_object_get(last_result, "leases")),
	      "programs gone, leases gone");
}

static void test_gone_program(void)
{
	struct program p;
	size_t created = recorded("kernel.lease", "event");

	audit_is = HANGS;
	p = program(ANNA, 0, 1, false);
	ms(300);
	end(&p);
	ms(2200);
	audit_is = PROMPT;
	ms(1200);
	check(recorded("kernel.lease", "event") == created,
	      "a program that died while it waited gets no lease");
	auth_is = HANGS;
	ms(5500);	/* what auth said before is forgotten */
	p = program(ANNA, 0, 1, false);
	check(hear(&p, 3000) && p.error == -EAGAIN && strstr(p.text, "did not say in time"),
	       "auth hangs: %s", p.text);
	end(&p);
	auth_is = PROMPT;
}

static void test_audit_hangs(void)
{
	size_t disarms = recorded("keeper.disarm", "event");
	struct program p;
	json_t *beat;
	__u64 t;

	arm();
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000) && sounds_within(1000), "plays");
	audit_is = HANGS;
	t = scene_now_ns();
	check(call("array.tighten", "root", "admin",
		   json_pack("{s:i, s:{s:i}}", "array", 0, "limits", "power_avg", 24000000)) ==
			      503 &&
		      !strcmp(json_string_value(json_object_get(last_result, "code")),
			      "audit_not_durable"),
	      "audit hangs: a privileged act is refused after its deadline: %d", last_status);
	check(scene_now_ns() - t < 3000 * SCENE_MS, "which is 2 s");
	check(dark_by(scene_now_ns(), 900), "after the grace of 700 ms all is silent");
	check(hear(&p, 1000) && p.error && p.error != -EDQUOT, "the keeper's doing, no quota's: %d",
	      p.error);
	check(arm() == 503, "arming is refused: %d", last_status);
	beat = beat_stats();
	check(beat && json_integer_value(json_object_get(beat, "margin_min_us")) > 250000 &&
	       !json_integer_value(json_object_get(beat, "late")),
	       "no beat was late meanwhile: least margin %lld us of %lld ms",
	       (long long)json_integer_value(json_object_get(beat, "margin_min_us")),
	       (long long)json_integer_value(json_object_get(beat, "deadline_ms")));
	check(call("silence", "x", "user", json_object()) == 200, "silencing still works");
	end(&p);
	audit_is = PROMPT;
	recorded_within(10000, "keeper.disarm", "event", disarms + 1);
	ms(1000);
	check(recorded("keeper.disarm", "event") == disarms + 1,
	      "when audit is back, the disarming is recorded");
	check(call("array.get", "root", "admin", array_0()) == 200 &&
		      !strcmp(json_string_value(json_object_get(
				      json_object_get(last_result, "array"), "state")),
			      "silent"),
	      "nothing armed by itself");
}

static void test_audit_dies(void)
{
	struct program p;
	__u64 t;

	check(arm() == 200, "armed again: %d", last_status);
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000) && sounds_within(1000), "plays: %d %s", p.error, p.text);
	t = scene_now_ns();
	hf_link_free(audit);
	audit = NULL;
	ms(20);
	check(call("array.reset", "root", "admin", array_0()) == 503,
	      "audit is gone: refused at once: %d", last_status);
	check(is_sounding() || scene_now_ns() - t > 600 * SCENE_MS,
	      "what plays may go on for the grace");
	check(dark_by(t, 800), "after it, silence");
	end(&p);
	peer(HF_PROC_AUDIT, &audit_ops, &audit);
	ms(100);
	check(arm() == 503, "audit is there, and has not opened its log: %d", last_status);
	audit_says_durable();
	ms(700);
	check(arm() == 200, "audit is back: armed on request: %d", last_status);
}

static void test_quota(void)
{
	struct program p;
	__u64 begin;

	ms(50);
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000), "plays until the quota is spent: %d", p.error);
	begin = scene_now_ns();
	check(hear(&p, 10000) && p.error == -EDQUOT, "the driver says so: %d", p.error);
	check(!is_sounding() && scene_now_ns() - begin < 8000 * SCENE_MS, "and it is dark");
	end(&p);
	check(call("tenant.list", "root", "admin", json_object()) == 200, "tenants: %s",
	      json_dumps(json_array_get(json_object_get(last_result, "tenants"), 0), JSON_COMPACT));
}

static void test_kill(void)
{
	struct program p;
	__u64 t;

	check(call("tenant.reset_quota", "root", "admin", json_pack("{s:s}", "tenant", "lab")) ==
		      200,
	      "quota given anew: %d", last_status);
	p = program(ANNA, 0, 3, true);
	check(hear(&p, 3000) && sounds_within(1000), "plays");
	ms(2500);
	t = scene_now_ns();
	kill(keeper, SIGKILL);
	keeper_reaped();
	check(dark_by(t, 600), "kill -9 of the keeper: silent within the deadline");
	end(&p);
	keeper_start();
	check(call("tenant.list", "root", "admin", json_object()) == 200, "%s",
	      json_dumps(json_array_get(json_object_get(last_result, "tenants"), 0), JSON_COMPACT));
	check(json_integer_value(json_object_get(
		      json_object_get(
			      json_object_get(
				      json_array_get(json_object_get(last_result, "tenants"), 0),
				      "quota"),
			      "emission_ms"),
		      "used")) >= 2000,
	      "a new keeper knows what the tenant has used");
}

static void test_replay(void)
{
	const json_t *r;
	int64_t before = 0;
	bool order = true;
	size_t i, gaps = 0;

	ms(500);
	/* Every event of the driver, in order, none missing; some may be there twice. */
	json_array_foreach(records, i, r) {
		const char *action = json_string_value(json_object_get(r, "action"));
		int64_t n =
			json_integer_value(json_object_get(json_object_get(r, "detail"), "seq"));

		if (strncmp(action, "kernel.", 7))
			continue;
		gaps += !strcmp(action, "kernel.gap");
		order &= n <= before + 1;
		before = n > before ? n : before;
	}
	check(order && !gaps && before > 50, "events 1 to %lld are all in the log, in order",
	      (long long)before);
}

static void test_two_persons(void)
{
	if (ask(control, HF_MSG_PREPARE, json_pack("{s:o}", "config", config(true)), -1) != 200 ||
	    ask(control, HF_MSG_COMMIT, json_object(), -1) != 200)
		tap_bail("new configuration: %d", last_status);
	check(arm() == 200, "armed: %d", last_status);
	scene_set(&array, "fault_temp0", "set:80000");
	ms(500);
	scene_set(&array, "fault_temp0", "none");
	ms(1500);
	check(call("array.trip", "root", "admin", array_0()) == 200, "%s",
	       json_dumps(json_object_get(last_result, "trip"), JSON_COMPACT));
	call("array.self_test", "root", "admin", array_0());
	check(call("array.reset", "anna", "operator", array_0()) == 202, "the first one waits: %d",
	      last_status);
	check(call("array.reset", "anna", "operator", array_0()) == 409, "the same one again: %d",
	      last_status);
	check(call("array.reset", "ben", "operator", array_0()) == 200, "the second one resets: %d",
	      last_status);
	refused(0, 0, HOLDFAST_RIGHT_RESET, -EPERM, "no lease may reset");
}

/* As udev would. */
static void give_node(void)
{
	if (chown(array.node, 0, getgrnam("holdfast")->gr_gid) || chmod(array.node, 0660))
		tap_bail("%s", array.node);
}

static void test_unplug(void)
{
	struct program p;

	arm();
	p = program(0, 0, 3, true);
	check(hear(&p, 3000) && sounds_within(1000), "plays");
	scene_live(&array, false);
	ms(300);
	check(!is_sounding() && call("array.list", "root", "admin", json_object()) == 200 &&
		      !json_array_size(json_object_get(last_result, "arrays")),
	      "unplugged: gone, and dark");
	end(&p);
	scene_live(&array, true);
	give_node();
	ms(1500);
	check(call("array.list", "root", "admin", json_object()) == 200 &&
		      json_array_size(json_object_get(last_result, "arrays")) == 1,
	      "plugged in: kept again");
	ms(1000);
	check(arm() == 200, "and can be armed: %d", last_status);
}

static void test_stop(void)
{
	struct program p = program(0, (uint32_t)array.index, 3, true);
	__u64 t;
	int status;

	check(hear(&p, 3000) && sounds_within(1000), "plays: %d %s", p.error, p.text);
	t = scene_now_ns();
	check(ask(control, HF_MSG_STOP, json_object(), -1) == 200, "told to stop");
	check(dark_by(t, 50), "it silences first");
	waitpid(keeper, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "and ends with 0");
	end(&p);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "-x"))
		return hf_service_run(&hf_keeper_ops, HF_SANDBOX_TRAP, NULL);
	signal(SIGPIPE, SIG_IGN);
	records = json_array();
	hf_log_open(HF_PROC_PARENT, &hf_system_clock);
	if (hf_loop_new(&loop, &hf_system_clock))
		tap_bail("loop");
	scene_load();
	scene_make(&array, "lab", SCENE_ATTRS("limit=hold 500"));
	give_node();
	ledger_open(&ledger, &array);
	keeper_start();
	ms(500);
	test_start();
	test_leases();
	test_many();
	test_gone_program();
	test_audit_hangs();
	call("tenant.reset_quota", "root", "admin", json_pack("{s:s}", "tenant", "lab"));
	test_audit_dies();
	test_quota();
	test_kill();
	test_replay();
	test_two_persons();
	test_unplug();
	test_stop();
	return tap_done();
}
