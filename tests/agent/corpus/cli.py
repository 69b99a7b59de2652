# SPDX-License-Identifier: GPL-2.0
"""Command lines of holdfastctl. An input is (account, arguments, bytes of standard input). Hostile is what must not end
with status 0. As root where nothing but the client's or the agent's check is in the way; as another account
where the account is the point. "@dir@" in an argument is a folder with the files of FILES."""
import itertools
import os

from corpus.kit import SHELL, SQL, TRAVERSAL, WORDS, Class


def no_nul(words):
    """What can be an argument, and is not a call for help."""
    return [w for w in words if "\0" not in w and w != "--help"]


def some(n, make):
    """A program costs 0.1 s in the guest: @n of all that @make makes, the same ones each time."""
    return lambda rng: rng.sample(made, n) if len(made := list(make(rng))) > n else made


FILES = {
    "empty": b"", "noise": bytes(range(256)) * 64, "zeros": bytes(65536), "text": b"environment: [\n", "long": b"x" * 300000, "csv": b"1,2\n3,nan\n",
    "header": b"HFS1" + b"\xff" * 4096, "utf8": b"\xff\xfe\xfd", "tar": b"holdfast" + bytes(1024), "link": None, "secret": b"x" * 9000, "nul": b"correct horse\0battery staple 7\n",
}


def paths():
    return [f"@dir@/{n}" for n in FILES] + ["/nonexistent", "/etc", "/dev/null", "", "@dir@/../../../../etc/shadow", "-", "/proc/self/mem", "@dir@/" + "x" * 5000]


def words(_):
    for word in no_nul(WORDS) + ["LIST", "lis", "list ", " list", "", "silence;arm", "help", "\u0430rm", "x" * 100000, "ar" + "m" * 1000]:
        yield "root", [word], b""
        yield "root", ["user", word], b""
        yield "root", ["config", word], b""
        yield "root", ["whoami", word or "x"], b""


def options(_):
    for option in ("--no-such-option", "--json=1", "--help=x", "--device", "-z", "--=", "---json", "-", "--exec=id", "--socket", "--preserve-env", "-d", "--jsonx", "-jz",
                   "--config=/etc/shadow", "-I", "-o/tmp/x", "--version=1", "--agent", "--ca"):
        for command in (["whoami"], ["agent", "status"], ["user", "list"], ["config", "history"], ["silence"]):
            if command == ["silence"] and option == "-":
                continue
            yield "root", [*command, option], b""
    for where in ("http://127.0.0.1:8240", "https://", "https://user:pass@localhost", "https://localhost:8240/x", "https://localhost:99999", "ftp://localhost", "file:///etc/passwd",
                  "https://127.0.0.1:1", "/nonexistent", "/etc/passwd", "", "x" * 5000, "https://local host", "https://localhost\r\nX: y", "/run/holdfast/keeper.sock"):
        yield "root", ["--agent", where, "whoami"], b""
        yield "root", ["whoami", "--agent=" + where], b""
    for ca in ("/nonexistent", "@dir@/noise", "/etc"):
        yield "root", ["--ca", ca, "--agent", "https://localhost:8240", "whoami"], b""


NUMBERS = ["-1", "+1", "", " ", "x", "1x", "0x1", "1e3", "1.5", "99999999999999999999999", "nan", "inf", "-inf", "--", "1,5", "\u0661", "1 2", "1;id", "9223372036854775808",
           "-9223372036854775809", "%d"]


def numbers(_):
    for n in NUMBERS:
        yield "root", ["-d", n, "trip"], b""
        yield "root", ["lease", "revoke", "--", n], b""
        yield "root", ["audit", "show", "--", n], b""
        yield "root", ["config", "rollback", "--", n], b""
        yield "root", ["token", "create", "--ttl", n], b""
        yield "root", ["audit", "search", "--limit", n], b""
        yield "root", ["user", "add", "corpus-x", "--role", "user", "--uid", n], b""
        if n != "-1":
            yield "root", ["user", "set", "m-user", "--uid", n], b""
        yield "root", ["security", "report", "--since", n], b""
        if n in ("-1", "+1", "1.5"):
            continue        # right where it is a quantity
        yield "root", ["solve", "focus", "--at", f"0,0,{n}", "-o", "/tmp/corpus.hfs"], b""
        yield "root", ["solve", "focus", "--at", "0,0,100", "--amp", n, "-o", "/tmp/corpus.hfs"], b""
        yield "root", ["envelope", "tighten", f"power_avg={n}"], b""
        yield "root", ["fence", "add", f"0,0,{n}=1"], b""
    for n in ("64", "65", "255", "4294967296", "18446744073709551616", "/dev/holdfast9", "/dev/null", "/etc/passwd", "nobody"):
        for command in (["status"], ["trip"], ["blackbox"], ["arm"], ["lease", "list"]):
            yield "root", ["-d", n, *command], b""
    for n in ("59", "901", "86400", "99h", "365d"):
        yield "root", ["token", "create", "--ttl", n], b""


def names(_):
    for name in no_nul(WORDS) + ["A", "9", "_x", "a" * 33, "a b", "Root", "\u00e4", "a.b", "a:b"]:
        yield "root", ["user", "add", "--role", "admin", "--", name], b""
        yield "root", ["user", "remove", "--", name], b""
        yield "root", ["secret", "set", "--value-file", "@dir@/text", "--", name], b""
        yield "root", ["tenant", "reset-quota", "--", name], b""
        yield "root", ["user", "add", "corpus-x", "--role", name or "x"], b""
        yield "root", ["session", "revoke", "--", name], b""


def texts(_):
    """Control characters, other directions, too long."""
    for text in ("\n", "\r\nx", "\x1b[2J", "\x07", "\x7f", "\u202e", "\u2028", "x" * 257, "\u00fc" * 129, "x" * 50000, "a\tb\x01"):
        for command in (["envelope", "seal"], ["key", "rotate"], ["secret", "rotate"], ["config", "rollback", "1"], ["backup", "create"], ["lease", "revoke", "1"]):
            if command[0] != "envelope":
                yield "root", [*command, "--comment", text], b""
        yield "root", ["token", "create", "--label", text if len(text) > 64 or text.strip("\u00fcx") else text * 65], b""
        yield "root", ["audit", "search", "--actor", text], b""
    for raw in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\xfe"):
        for command in (["key", "rotate", "--comment"], ["audit", "search", "--actor"], ["user", "add", "--role", "user"], [], ["config", "check"], ["token", "create", "--label"]):
            yield "root", [*command, os.fsdecode(raw)], b""


def secrets(_):
    """Standard input and files where a secret belongs."""
    stdin = [b"", b"\n", b"a\0b\n", b"x" * 1100 + b"\n", b"x" * 100000, b"\xff\xfe\n", b"short\n", b"\x1b[2J\n"]
    for data in stdin:
        for command in (["login", "m-admin"], ["passwd"], ["setup", "intruder"], ["totp", "confirm"], ["user", "password", "m-user"]):
            yield "root", command, data
    for path in paths():
        if path != "-":
            yield "root", ["user", "password", "nobody-there", "--password-file", path], b""
            yield "root", ["setup", "intruder", "--secret-file", path, "--password-file", path], b""
            if path not in ("@dir@/text", "@dir@/csv", "@dir@/link") and "shadow" not in path:     # root may read these
                yield "root", ["secret", "set", "corpus-x", "--value-file", path], b""


def files(_):
    for path in paths():
        yield "root", ["config", "check", path], b"x: [\n"
        yield "root", ["config", "apply", path], b"x: [\n"
        yield "root", ["config", "diff", path], b"x: [\n"
        yield "root", ["play", path], b"x"
        yield "root", ["play", "--arm", path], b"x"
        yield "root", ["backup", "verify", path], b""
        yield "root", ["backup", "restore", path], b""
    yield "root", ["config", "apply", "/dev/zero"], b""
    yield "root", ["play", "/dev/zero"], b""


def limits(_):
    for name in no_nul(SQL + SHELL + TRAVERSAL)[:20] + ["", "=", "power_avg", "power_avg=", "=1", "POWER_AVG=1", "power_avg=1=2", "power_avg==1", "power_avg=99999999999", "reject_burst=0",
                                                       "x=1", "power_avg=1W2", "power_avg=1kg", "temp_crit=1m"]:
        yield "root", ["envelope", "set", name], b""
        yield "root", ["envelope", "tighten", name], b""
        yield "root", ["fence", "add", name], b""
        yield "root", ["fence", "remove", name], b""
    for point in ("0,0=1", "0,0,0", "0,0,0=", "0,0,0=-1", "0,0,0,0=1", "a,b,c=1", "1e9,0,0=1", "0,0,0=1Pa=2", "99999999,0,0=1"):
        yield "root", ["fence", "add", point], b""
    for channels in ("1024", "-1", "3-1", "1,,2", "x", "0-99999"):
        yield "root", ["envelope", "tighten", "-f", channels], b""


def accounts(_):
    """Right in every word, by an account that may not."""
    admins = [["user", "list"], ["user", "add", "intruder", "--role", "admin"], ["user", "remove", "m-user"], ["user", "set", "m-user", "--role", "admin"],
              ["user", "unlock", "m-user"], ["user", "password", "m-admin", "--password-file", "@dir@/text"], ["key", "rotate"], ["secret", "list"],
              ["secret", "set", "corpus-x", "--value-file", "@dir@/text"], ["secret", "remove", "x"], ["secret", "rotate"], ["config", "get"], ["config", "history"],
              ["config", "rollback", "1"], ["config", "apply", "scripts/packaging/holdfast.yaml"], ["config", "diff", "scripts/packaging/holdfast.yaml"], ["backup", "create"],
              ["audit", "acknowledge"], ["security", "report"], ["tenant", "reset-quota", "lab"], ["envelope", "seal"], ["envelope", "set", "power_avg=1W"],
              ["envelope", "tighten", "power_avg=1W"], ["fence", "add", "0,0,100=1Pa"], ["fence", "remove", "0,0,100"], ["keep"], ["reset"], ["arm"]]
    others = [["audit", "search"], ["audit", "show", "1"], ["audit", "tail"]]
    stranger = [["whoami"], ["agent", "status"], ["session", "list"], ["token", "list"], ["token", "create"], ["session", "rotate"], ["tenant", "list"], ["audit", "checkpoint"],
                ["audit", "stats"], ["logout"], ["silence"], ["status"], ["lease", "list"], ["self-test"], ["play", "/tmp/one.hfs"], ["totp", "begin"], ["audit", "export"]]
    for who, commands in (("hf-stranger", admins + others + stranger), ("hf-user", admins + others), ("hf-operator", [c for c in admins + others if c[0] not in ("reset", "arm")])):
        for command, extra in itertools.product(commands, ([], ["--json"], ["--agent", "/run/holdfast/api.sock"])):
            if command[0] == "keep" and extra:
                continue
            yield who, [*command, *extra], b""


HOSTILE = [
    Class("word", "commands that do not exist, or arguments where none belong", some(110, words)),
    Class("option", "options that do not exist, and agents that are none", some(100, options)),
    Class("number", "numbers out of range or spelled in another way", some(200, numbers)),
    Class("name", "names that are paths, queries, options or another alphabet's", some(200, names)),
    Class("text", "control characters, other directions of writing, bytes that are no text, too much of it", some(101, texts)),
    Class("secret", "what is no secret, on standard input or in a file", some(70, secrets)),
    Class("file", "configurations, streams and archives that are none, folders, devices", some(110, files)),
    Class("limit", "limits and fence points that do not exist or cannot be", some(100, limits)),
    Class("account", "right commands by accounts that may not", some(140, accounts)),
]


def benign(_):
    reads = [["whoami"], ["agent", "status"], ["agent", "version"], ["user", "list"], ["session", "list"], ["token", "list"], ["tenant", "list"], ["secret", "list"], ["config", "get"],
             ["config", "history"], ["audit", "tail"], ["audit", "search"], ["audit", "search", "--since", "24h", "--limit", "200"], ["audit", "search", "--actor", "' OR 1=1"],
             ["audit", "show", "1"], ["audit", "checkpoint"], ["audit", "stats"], ["audit", "export", "--since", "2s"], ["security", "report"], ["security", "report", "--since", "24h"], ["list"], ["status"],
             ["lease", "list"], ["envelope", "show"], ["fence", "list"], ["events"], ["trip"], ["blackbox"], ["explain"], ["silence"], ["config", "schema"], ["config", "man"], ["config", "doc"],
             ["config", "check", "scripts/packaging/holdfast.yaml"], ["config", "diff", "scripts/packaging/holdfast.yaml"], ["-d", "0", "status"], ["--version"], ["--help"],
             ["user", "--help"], ["solve", "focus", "--at", "0,0,150", "-o", "/tmp/corpus.hfs"], ["-d", "lab", "trip"]]
    for command in reads:
        yield "root", command, b""
        if command[0] not in ("--version", "--help") and command[:2] not in (["config", "schema"], ["config", "man"], ["config", "doc"]):
            yield "root", [*command, "--json"], b""
    for name in ("a", "z" * 32, "a-b_c"):
        yield "root", ["user", "add", name, "--role", "operator", "--tenant", "lab", "--uid", "4294967294"], b""
        yield "root", ["user", "set", name, "--disabled", "true", "--uid", "-1"], b""
        yield "root", ["user", "unlock", name], b""
        yield "root", ["user", "remove", name], b""
    for comment in ("", "\u00fcnic\u00f6de", "x" * 256, "'; DROP TABLE x;--", "$(id) %s", "--not-an-option"):
        yield "root", ["key", "rotate", "--comment=" + comment], b""
        yield "root", ["secret", "rotate", "--comment=" + comment], b""
    yield "root", ["secret", "set", "corpus-b", "--value-file", "@dir@/text"], b""
    yield "root", ["secret", "remove", "corpus-b"], b""


BENIGN = [Class("right", "what an admin does, with names and comments that are odd and right", benign)]
