# SPDX-License-Identifier: GPL-2.0
"""Configurations. An input is (how, bytes or a dict): "apply" hands the text to the running agent as root, who has
proved who he is, so that nothing but the check of the configuration stands between it and being in force;
"check" gives it to holdfastd --check as a file, "env" as variables of its environment.

The spelling of values, keys and bytes is not made here: it is the corpus of the unit test of the reader
(tests/agent/test_common_config_keys.c, made from the schema table), which writes it to the two files that
HF_CONFIG_HOSTILE and HF_CONFIG_CORPUS name. The first class of this file has what is hostile of both."""
import json
import os
import re

from corpus.kit import Class

FOLDER = os.path.join(os.path.dirname(__file__), "../../../build/check")
EVERY = 4       # of the unit test's 7000 every so many-th goes through the running agent as well


def of_unit_test(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def spelling(_):
    texts = sorted(bytes.fromhex(case["hex"]) for case in of_unit_test("config-hostile.jsonl"))
    return [("apply", text) for text in texts[::EVERY]]


def values(_):
    return [("apply", json.dumps(case["doc"]).encode()) for case in of_unit_test("config-corpus.jsonl") if not case["accept"]]


HEAD = "environment: test\n"
TENANT = "tenants:\n  - {{ name: a, id: 1, arrays: [\"*\"]{} }}\n"


def rules(_):
    """What single keys allow, and together they may not be."""
    for text in ["api: { listen: 0.0.0.0 }", "api: { listen: \"::\" }", "api: { listen: 192.0.2.1 }", "api: { listen: \"127.0.0.1.\" }", "api: { listen: localhost }",
                 "api: { tls_certificate: /etc/x.pem }", "api: { tls_key: /etc/x.key }", "api: { network_enabled: false, local_enabled: false, listen: 1.2.3.4 }",
                 "api: { connections: 8, connections_per_source: 9 }", "auth: { session_user_idle_s: 600, session_user_max_s: 300 }",
                 "auth: { session_admin_idle_s: 14400, session_admin_max_s: 900 }", "auth: { lockout_start_s: 3600, lockout_max_s: 60 }",
                 "audit: { refuse_free_bytes: 1000, warn_free_bytes: 999 }", "paths: { state: /var/lib/holdfast, run: /var/lib/holdfast }",
                 "arrays:\n  - { match: lab, limits: { temp_warn: 60000, temp_crit: 50000 } }", "arrays:\n  - { match: lab, limits: { temp_crit: 80000, temp_emerg: 70000 } }",
                 "arrays:\n  - { match: lab, limits: { supply_min: 24000, supply_max: 12000 } }", "arrays:\n  - { match: lab, limits: { box_min_x: 10, box_max_x: 9 } }",
                 "arrays:\n  - { match: lab, limits: { box_min_z: 10, box_max_z: -9 } }",
                 TENANT.format(", max_lease_s: 604800"), TENANT.format(", windows: [\"Mon 18:00-08:00x\"]"), TENANT.format(", windows: [\"Mon-Foo 08:00-18:00\"]"),
                 TENANT.format(", windows: [\"Mon 25:00-26:00\"]"), TENANT.format(", windows: [\"Mon 08:00-08:00\"]"), TENANT.format(", rights: [frames, root]"),
                 TENANT.format(", rights: []"), TENANT.format(", max_leases: 65"),
                 "tenants:\n  - { name: a, id: 1, arrays: [\"*\"] }\n  - { name: a, id: 2, arrays: [\"*\"] }", "tenants:\n  - { name: a, id: 1, arrays: [\"*\"] }\n  - { name: b, id: 1, arrays: [\"*\"] }",
                 "tenants:\n  - { name: a, id: 1, arrays: [] }", "peers:\n  - { role: admin }", "peers:\n  - { uid: 1, user: x, role: admin }", "peers:\n  - { uid: 1, group: x, role: user }",
                 "peers:\n  - { uid: 1, role: user, tenant: nowhere }", "peers:\n  - { uid: 1, role: public }", "peers:\n  - { uid: 4294967295, role: admin }",
                 "peers:\n  - { uid: 1, role: root }", "export: { anchors: [ { kind: file } ] }", "export: { anchors: [ { kind: syslog_tcp, path: /x/y } ] }",
                 "export: { anchors: [ { kind: syslog_tls, host: a, port: 1, path: /x/y } ] }", "export: { anchors: [ { kind: syslog_tcp, host: a, port: 1, ca: /x/y } ] }",
                 "export: { anchors: [ { kind: file, path: /var/lib/holdfast/audit/x } ] }",
                 "fleet: { servers: [ { address: \"192.0.2.7\" } ], tls: false }", "fleet: { servers: [ { address: \"192.0.2.7\" } ], host: a }",
                 "fleet: { servers: [ { address: \"192.0.2.7\" } ], host: a, ca: /etc/ssl/x.pem }", "fleet: { servers: [ { address: nats.example } ], host: a, tls: false }",
                 "fleet: { servers: [ { address: \"192.0.2.7\" }, { address: \"192.0.2.7\" } ], host: a, tls: false }", "fleet: { secret: export-x }",
                 "fleet: { servers: [ { address: \"192.0.2.7\" } ], host: a, tls: false, user: x }", "fleet: { servers: [ { address: \"192.0.2.7\" } ], host: a.b, tls: false }"]:
        yield "apply", (HEAD + text + "\n").encode()


def production(_):
    for text in ["keeper: { seal: false }", "keeper: { audit_grace_ms: 10001 }", "auth: { argon2_kib: 19455 }", "auth: { argon2_kib: 1024, argon2_passes: 1 }",
                 "auth: { argon2_passes: 1 }", "auth: { password_min: 8 }", "log: { level: debug }", "paths: { state: /tmp/x }", "paths: { state: /dev/shm/x }",
                 "paths: { state: /run/x/state }", "paths: { state: /var/tmp/x }"]:
        for environment in ("environment: production\n", ""):
            yield "check", (environment + text + "\n").encode()
            yield "apply", (environment + text + "\n").encode()


def restart(_):
    """Right in itself, but not to be had while the agent runs: limits looser than the seal, folders, the seal itself."""
    base = running()
    for old, new in [("environment: test", "paths: { state: /srv/other }\nenvironment: test"), ("environment: test", "paths: { run: /run/other }\nenvironment: test"),
                     ("environment: test", "keeper: { seal: false }\nenvironment: test"), ("api:", "api:\n  port: 8241"), ("power_avg: 20000000", "power_avg: 30000000"),
                     ("power_avg: 20000000", "power_avg: 20000001"), ("    limits:\n      power_avg: 20000000\n", ""), ("match: lab", "match: other")]:
        assert old in base
        yield "apply", base.replace(old, new, 1).encode()


def environment(_):
    for name, value in [("HOLDFAST_NOTHING__AT_ALL", "1"), ("HOLDFAST_KEEPER__BEAT_MS", "0"), ("HOLDFAST_KEEPER__BEAT_MS", "x"), ("HOLDFAST_KEEPER__BEAT_MS", ""),
                        ("HOLDFAST_KEEPER__BEAT_MS", "1e3"), ("HOLDFAST_KEEPER__BEAT", "100"), ("HOLDFAST_KEEPER__SEAL", "no"), ("HOLDFAST_ENVIRONMENT", "staging"),
                        ("HOLDFAST_ENVIRONMENT", "Test"), ("HOLDFAST_PATHS__STATE", "../x"), ("HOLDFAST_PATHS__STATE", "/a/../b"), ("HOLDFAST_PATHS__RUN", "run"),
                        ("HOLDFAST_API__LISTEN", "0.0.0.0"), ("HOLDFAST_API__PORT", "0"), ("HOLDFAST_API__PORT", "65536"), ("HOLDFAST_API__PORT", "80 "),
                        ("HOLDFAST_AUTH__KDF", "md5"), ("HOLDFAST_AUTH__PBKDF2_ITERATIONS", "1"), ("HOLDFAST_TENANTS__0__ID", "1"), ("HOLDFAST_KEEPER__", "1"),
                        ("HOLDFAST_KEEPER__BEAT_MS__X", "1"), ("HOLDFAST_keeper__beat_ms", "0"), ("HOLDFAST_LOG__LEVEL", "debug\n"), ("HOLDFAST_AUTH__KDF", "argon2id\x1b[2J")]:
        yield "env", {name: value}


def files(_):
    for what in ("/etc", "/dev/zero", "/proc/self/mem", "/dev/null", "/nonexistent", "/etc/shadow", "build/agent/holdfastd"):
        yield "path", what
    yield "check", b"environment: test\n# " + b"x" * (256 * 1024) + b"\n"
    yield "check", b"arrays:\n" + b"  - { match: lab }\n" * 5000
    yield "check", b"\0" * 4096
    yield "check", b"[" * 100000


HOSTILE = [
    Class("spelling", "values, keys and bytes spelled so that two readers read them in two ways (the unit test's)", spelling),
    Class("value", "each key with values out of its range, length, alphabet or list (the unit test's)", values),
    Class("rules", "keys that are right alone and wrong together: open to the world without TLS, limits upside down, tenants that overlap", rules),
    Class("production", "development's settings in production", production),
    Class("running", "loosening of sealed limits, and what takes a restart", restart),
    Class("environment", "variables that stand for no key, or with what the key does not take", environment),
    Class("file", "files that are none, too large, or another's", files),
]


def running():
    with open("/etc/holdfast/holdfast.yaml", encoding="utf-8") as f:
        return f.read()


# What the end of one key's range needs of another key.
COMPANIONS = {
    "session_user_idle_s": {"session_user_max_s": 86400}, "session_user_max_s": {"session_user_idle_s": 60},
    "session_admin_idle_s": {"session_admin_max_s": 86400}, "session_admin_max_s": {"session_admin_idle_s": 60},
    "lockout_max_s": {"lockout_start_s": 1}, "keep_bytes": {"segment_bytes": 65536}, "connections": {"connections_per_source": 1},
    "connections_per_source": {"connections": 896}, "tls_certificate": {"tls_key": "/srv/x"}, "tls_key": {"tls_certificate": "/srv/x"},
    "servers": {"host": "a", "tls": False}, "reserve_bytes": {"refuse_free_bytes": 1073741824, "warn_free_bytes": 1099511627776},
}


def repeats(value):
    """Has it a list of many equal things? The unit test looks at lengths so; as a whole they must differ."""
    if isinstance(value, dict):
        return any(map(repeats, value.values()))
    return isinstance(value, list) and (len(value) > 1 or any(map(repeats, value)))


SINGULAR = {"keeper_deadline", "refuse_free_bytes", "warn_free_bytes", "max_lease_s"}     # an end of these is never right as a whole


def whole(doc):
    """The key of the unit test in a configuration that is right as a whole; None: it is about more than one key."""
    doc = {"environment": "test", **doc}
    if repeats(doc) or "export" in doc or "channels" in doc.get("alerts", {}) or "peers" in doc or "secret" in doc.get("fleet", {}) or SINGULAR & set(re.findall(r"[a-z_]+", json.dumps(doc))):
        return None
    if "tenants" in doc:
        doc["arrays"] = [{"match": "*"}]
    for section in doc.values():
        if isinstance(section, dict):
            for key in list(section):
                for other, value in COMPANIONS.get(key, {}).items():
                    section.setdefault(other, value)
    return doc


def benign(_):
    for case in of_unit_test("config-corpus.jsonl"):
        doc = whole(case["doc"]) if case["accept"] else None
        if doc:
            yield "check-api", json.dumps(doc).encode()
    peers = "".join(f"  - {{ uid: {n}, role: user, tenant: t{n % 64} }}\n" for n in range(256))
    tenants = "".join(f"  - {{ name: t{n}, id: {n + 1}, arrays: [{n}] }}\n" for n in range(64))
    yield "check-api", f"{HEAD}arrays:\n  - match: \"*\"\ntenants:\n{tenants}peers:\n{peers}".encode()
    for anchor in ("kind: file, path: /mnt/other/anchors", "kind: syslog_tcp, host: log.example, port: 601", "kind: syslog_tls, host: \"[2001:db8::1]\", port: 6514, ca: /etc/ssl/x.pem, every_s: 1"):
        yield "check-api", f"{HEAD}export: {{ anchors: [ {{ {anchor} }} ] }}\n".encode()
    for channel in ("kind: webhook, url: \"https://192.0.2.7/hook?a=1\", ca: /etc/ssl/x.pem, secret: export-x, min_severity: critical",
                    "kind: alertmanager, url: \"http://[2001:db8::1]:9093\", resolved: false", "kind: syslog_tcp, host: log.example, port: 601",
                    "kind: syslog_tls, host: \"192.0.2.9\", port: 6514, ca: /etc/ssl/x.pem"):
        yield "check-api", f"{HEAD}alerts: {{ channels: [ {{ name: a-b_1, {channel} }} ] }}\n".encode()
    for fleet in ("host: a-b_1, tls: false", "host: a, ca: /etc/ssl/x.pem, tls_name: nats.example, user: x, secret: fleet-x", "host: a, tls: false, secret: fleet-x, telemetry_s: 1"):
        yield "check-api", f"{HEAD}fleet: {{ servers: [ {{ address: \"2001:db8::1\" }}, {{ address: \"192.0.2.7\", port: 4223 }} ], {fleet} }}\n".encode()
    for window in ("Mon-Fri 08:00-18:00", "Sat-Sun 22:00-24:00", "Mon-Sun 00:00-24:00"):
        yield "check-api", f"{HEAD}arrays:\n  - match: \"*\"\n{TENANT.format(', windows: [' + json.dumps(window) + ']')}".encode()
    yield "check-api", running().encode()
    with open("scripts/packaging/holdfast.yaml", "rb") as f:
        yield "check-api", f.read()
    for more in ("", "# a comment: \u00fcnic\u00f6de\n", "log: { level: notice }\n", ""):
        yield "apply", (running() + more).encode()
    yield "check", (HEAD + "# " + "x" * (200 * 1024) + "\n").encode()
    for variables in ({"HOLDFAST_KEEPER__BEAT_MS": "50"}, {"HOLDFAST_LOG__LEVEL": "debug"}, {"HOLDFAST_API__LISTEN": "::1"}):
        yield "env", variables


BENIGN = [Class("accepted", "each key with the values at the ends of its range (the unit test's), examples, comments, variables", benign)]
