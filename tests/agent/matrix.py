#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Who may ask the running agent for what: every operation, role, credential and socket, compared with
matrix.txt. Runs in a guest as root (matrix.sh). Prints TAP, one line per operation, and writes the
number of requests to build/vm-out/matrix.json.

A request counts as allowed when the agent answers anything but a denial: arguments are valid but
mean little, so that most operations answer 404 or 422 to who may ask."""
import base64
import hashlib
import hmac
import json
import os
import pwd
import re
import sys
import time

import api

ROLES = ["public", "user", "operator", "admin", "system"]
DENIALS = {"unauthenticated", "role", "network", "step_up"}
PASSWORD = "correct horse battery staple 7"
KEYS = "/var/lib/holdfast/auth/signing-keys"


def table():
    ops = {}
    for line in open(os.path.join(os.path.dirname(__file__), "matrix.txt"), encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            op, method, path, *rights, where = line.split()
            assert len(rights) == 5 and where in ("net", "local", "arm"), line
            ops[op] = (method, path, dict(zip(ROLES, rights)), where)
    return ops


def ops_of_the_source():
    text = open("agent/common/ops.c", encoding="utf-8").read()
    return {m[1]: (m[2], m[3]) for m in re.finditer(r'\bOP\("([^"]+)", "(\w+)", "([^"]+)"', text)}


# Valid by the table of arguments, harmless, and never what would change who may do what.
PATH = {"array": "0", "session": "00" * 16, "token": "00" * 16, "user": "nobody-there", "lease": "999999", "incident": "999999",
        "tenant": "nobody-there", "seq": "1", "secret": "matrix"}
BODY = {
    "incident.annotate": {"text": "matrix"},
    "setup": {"secret": "wrong", "user": "nobody-there", "password": PASSWORD},
    "login": {"user": "nobody-there", "password": PASSWORD},
    "session.step_up": {"password": PASSWORD},
    "password.change": {"old": PASSWORD, "new": "short"},
    "totp.confirm": {"totp": "000000"},
    "user.create": {"user": "m-user", "role": "user"},	# is there already
    "user.password": {"password": PASSWORD},
    "array.tighten": {"limits": {"power_avg": 20000000}},
    "config.check": {"text": "x: 1"}, "config.diff": {"text": "x: 1"}, "config.apply": {"text": "x: 1"},
    "config.rollback": {"version": 999999},
    "secret.set": {"value": "matrix"},
}


def expected(ops, op, role, stepped, via, shown=True):
    _, _, rights, where = ops[op]
    right = rights[role]
    # refused where it comes in, before anybody looks at whether the credential that is shown holds
    if via == "net" and where == "local":
        return "network" if shown or rights["public"] == "y" else "unauthenticated"
    if right == "-":
        return "unauthenticated" if role == "public" else "role"
    if via == "net" and where == "arm":
        return "network"
    if right == "s" and not stepped:
        return "step_up"
    return "allowed"


def request(client, ops, op):
    method, path, _, _ = ops[op]
    path = re.sub(r"\{(\w+)\}", lambda m: PATH[m[1]], path)
    answer = client.call(method, path, BODY.get(op) if method != "GET" else None)
    if answer.cookie and op != "logout" and not answer.cookie.endswith("="):
        client.cookie = answer.cookie
    got = answer.code if answer.code in DENIALS else "allowed"
    if got != "allowed" and answer.status not in (401, 403):
        got += f" with status {answer.status}"
    if got == "allowed" and answer.status >= 500 and answer.status != 503:
        got = f"status {answer.status} {answer.code}"
    return got


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Forge:
    """Tokens that are wrong in one thing, signed with the agent's own key where a signature is right."""

    def __init__(self, good):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        self.key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(json.load(open(KEYS))["keys"][0]["seed"]))
        public = self.key.public_key()
        self.public_raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.head, self.claims = [json.loads(unb64(p)) for p in good.split(".")[:2]]
        self.good = good

    def make(self, head=None, claims=None, sign=None):
        text = b64(json.dumps({**self.head, **(head or {})}, separators=(",", ":")).encode()) + "." + \
            b64(json.dumps({**self.claims, **(claims or {})}, separators=(",", ":")).encode())
        signature = self.key.sign(text.encode()) if sign is None else sign(text.encode())
        return text + "." + b64(signature)

    def all(self):
        now = int(time.time())
        other = type(self.key).generate()
        a, b, c = self.good.split(".")
        return {
            "expired": self.make(claims={"exp": now - 60, "iat": now - 600, "nbf": now - 600}),
            "not yet valid": self.make(claims={"nbf": now + 600, "iat": now + 600, "exp": now + 900}),
            "lives too long": self.make(claims={"exp": now + 86400}),
            "wrong audience": self.make(claims={"aud": "somebody-else"}),
            "audience as a list": self.make(claims={"aud": ["holdfast-api"]}),
            "wrong issuer": self.make(claims={"iss": "somebody-else"}),
            "another's subject": self.make(claims={"sub": "m-admin" if self.claims["sub"] != "m-admin" else "m-user"}),
            "unknown jti": self.make(claims={"jti": "00" * 16}),
            "wrong typ": self.make(head={"typ": "JWT"}),
            "alg none, no signature": self.make(head={"alg": "none"}, sign=lambda t: b""),
            "alg None, signature of before": self.make(head={"alg": "None"}, sign=lambda t: unb64(c)),
            "HS256 with the public key": self.make(head={"alg": "HS256"}, sign=lambda t: hmac.new(
                self.public_raw, t, hashlib.sha256).digest()),
            "HS256 with the public key as PEM": self.make(head={"alg": "HS256"}, sign=lambda t: hmac.new(
                self.public_pem, t, hashlib.sha256).digest()),
            "HS256 with the right header": self.make(sign=lambda t: hmac.new(
                self.public_raw, t, hashlib.sha256).digest()),
            "another key": self.make(sign=other.sign),
            "another kid": self.make(head={"kid": "0" * 16}),
            "jwk in the header": self.make(head={"jwk": {"kty": "OKP"}}),
            "crit in the header": self.make(head={"crit": ["exp"]}),
            "claims changed": a + "." + b64(unb64(b).replace(b"holdfast-api", b"holdfast-apl")) + "." + c,
            "signature cut": self.good[:-2],
            "signature zero": a + "." + b + "." + b64(bytes(64)),
            "a fourth part": self.good + "." + c,
        }


def check(ok, what):
    if not ok:
        raise SystemExit(f"Bail out! {what}")


class People:
    def __init__(self, ops):
        self.ops, self.root = ops, api.Client("local")
        # a service has no password: its account on the host is what it is known by
        answer = self.root.call("POST", "/v1/users", {"user": "m-system", "role": "system",
                                                      "uid": pwd.getpwnam("hf-system").pw_uid})
        check(answer.status == 200, f"user m-system: {answer.status} {answer.body}")
        for role, tenant in (("user", "lab"), ("operator", "lab"), ("admin", None), ("guest", "other")):
            body = {"user": "m-" + role, "role": "operator" if role == "guest" else role,
                    "password": "first " + PASSWORD}
            if tenant:
                body["tenant"] = tenant
            answer = self.root.call("POST", "/v1/users", body)
            check(answer.status == 200, f"user m-{role}: {answer.status} {answer.body}")
            client = self.login(role, "local", "first " + PASSWORD)
            answer = client.call("POST", "/v1/password", {"old": "first " + PASSWORD, "new": PASSWORD})
            check(answer.status == 200, f"password of m-{role}: {answer.status} {answer.body}")

    def login(self, role, via, password=PASSWORD):
        client = api.Client(via)
        answer = client.call("POST", "/v1/login", {"user": "m-" + role, "password": password})
        check(answer.status == 200 and answer.cookie, f"login m-{role}: {answer.status} {answer.body}")
        client.cookie = answer.cookie
        return client

    def token(self, role):
        if role == "system":
            made = api.as_account("hf-system", lambda: api.Client("local").call("POST", "/v1/tokens", {}).json)
            check("result" in made, f"token of m-system: {made}")
            return made["result"]["token"]
        answer = self.login(role, "local").call("POST", "/v1/tokens", {"ttl_s": 900})
        check(answer.status == 200, f"token of m-{role}: {answer.status} {answer.body}")
        return answer.result["token"]


ENDS = {"logout", "session.rotate", "password.change", "totp.begin"}	# after these: a new session


def round_of(make, ops, wanted):
    """Every operation with one credential. make() gives a client that shows it."""
    got, client = {}, make()
    for op in sorted(ops, key=lambda o: (o in ENDS, o == "logout", o)):
        if op in ENDS:
            client = make()
        got[op] = request(client, ops, op)
    return {op: (got[op], wanted(op)) for op in ops}


def main():
    ops, source = table(), ops_of_the_source()
    results = {op: [] for op in ops}
    count = 0

    def note(name, answers):
        nonlocal count
        for op, (got, want) in answers.items():
            count += 1
            if got != want:
                results[op].append(f"{name}: {got} where {want}")

    people = People(ops)
    for via in ("local", "net"):
        if via == "net":
            note("nobody, net", round_of(lambda: api.Client("net"), ops,
                                         lambda op: expected(ops, op, "public", False, "net", False)))
        for role in ("user", "operator", "admin"):
            note(f"session of {role}, {via}", round_of(lambda r=role, v=via: people.login(r, v), ops,
                 lambda op, r=role, v=via: expected(ops, op, r, True, v)))
        for role in ROLES[1:]:
            token = people.token(role)
            note(f"token of {role}, {via}", round_of(lambda t=token, v=via: api.Client(v, bearer=t), ops,
                 lambda op, r=role, v=via: expected(ops, op, r, False, v)))
        ended = people.login("admin", via)
        cookie = ended.cookie
        ended.call("POST", "/v1/logout")
        note(f"session that has ended, {via}", round_of(lambda c=cookie, v=via: api.Client(v, cookie=c), ops,
             lambda op, v=via: expected(ops, op, "public", False, v)))
        good = people.token("admin")
        for name, bad in Forge(good).all().items():
            note(f"token: {name}, {via}", round_of(lambda t=bad, v=via: api.Client(v, bearer=t), ops,
                 lambda op, v=via: expected(ops, op, "public", False, v)))
        revoked = people.token("admin")
        jti = json.loads(unb64(revoked.split(".")[1]))["jti"]
        check(people.login("admin", via).call("DELETE", "/v1/tokens/" + jti).status == 200, "revoke")
        note(f"token: revoked, {via}", round_of(lambda t=revoked, v=via: api.Client(v, bearer=t), ops,
             lambda op, v=via: expected(ops, op, "public", False, v)))

    for account, role in (("hf-user", "user"), ("hf-operator", "operator"), ("hf-admin", "admin"),
                          ("hf-system", "system"), ("hf-stranger", "public")):
        note(f"peer {role}", api.as_account(account, lambda r=role: round_of(
            lambda: api.Client("local"), ops, lambda op: expected(ops, op, r, False, "local"))))
    note("peer root", round_of(lambda: api.Client("local"), ops,
                               lambda op: expected(ops, op, "admin", True, "local")))

    plan = 0
    for op in ops:
        plan += 1
        print(("not ok" if results[op] else "ok"), plan, "-", op)
        for line in results[op][:12]:
            print("#  ", line)
    for name, wrong in (("no operation is missing from the table", set(source) ^ set(ops)),
                        ("methods and paths are those of the table",
                         {op for op in ops if op in source and source[op] != ops[op][:2]})):
        plan += 1
        print("ok" if not wrong else "not ok", plan, "-", name)
        if wrong:
            print("#  ", *sorted(wrong))
    plan = other_tenant(people, plan)
    print(f"1..{plan}")
    out = os.environ.get("VM_OUT")
    if out:
        with open(os.path.join(out, "matrix.json"), "w", encoding="utf-8") as f:
            json.dump({"requests": count, "wrong": sum(map(len, results.values()))}, f)


def other_tenant(people, plan):
    """An operator of another tenant: the array of the laboratory is as if it were not there."""
    session = people.login("guest", "local")
    for method, path in (("GET", "/v1/arrays/0"), ("GET", "/v1/arrays/0/limits"), ("GET", "/v1/arrays/0/events"),
                         ("GET", "/v1/arrays/0/trip"), ("GET", "/v1/arrays/0/blackbox"),
                         ("GET", "/v1/arrays/0/leases"), ("POST", "/v1/arrays/0/arm"),
                         ("POST", "/v1/arrays/0/reset"), ("POST", "/v1/arrays/0/self-test"),
                         ("POST", "/v1/arrays/0/tighten"), ("DELETE", "/v1/arrays/0/leases/1")):
        answer = session.call(method, path, {"limits": {"power_avg": 1000}} if "tighten" in path else None)
        there = session.call(method, path.replace("/0", "/63"), {"limits": {"power_avg": 1000}}
                             if "tighten" in path else None)
        plan += 1
        # the same answer as for an array that nobody has, number apart
        same = (answer.status, answer.code) == (there.status, there.code) == (404, "not_found")
        print("ok" if same else "not ok", plan, "- other tenant:", method, path)
        if not same:
            print(f"#   {answer.status} {answer.code} where 404 not_found; array 63: {there.status} {there.code}")
    listed = session.call("GET", "/v1/arrays").result.get("arrays")
    plan += 1
    print("ok" if listed == [] else "not ok", plan, "- other tenant: sees no array", "" if listed == [] else listed)
    tenants = session.call("GET", "/v1/tenants").body
    plan += 1
    print("ok" if b'"lab"' not in tenants else "not ok", plan, "- other tenant: does not see the tenant")
    return plan


if __name__ == "__main__":
    sys.exit(main())
