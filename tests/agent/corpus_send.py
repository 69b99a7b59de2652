# SPDX-License-Identifier: GPL-2.0
"""How an input of the corpus gets to its surface, and what counts as a success there. Each sender takes inputs and gives
[(succeeded, what was answered)] in their order; "crash ..." is the end of a program by a signal."""
import array
import ctypes
import errno
import grp
import os
import pwd
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

import api
from corpus import cli as cli_corpus
from corpus import keeper as wire

HF = os.path.abspath(os.environ.get("HF", "build/agent/holdfastctl"))
HFD = os.path.abspath(os.environ.get("HFD", "build/agent/holdfastd"))
ETC = "/etc/holdfast/holdfast.yaml"
KEEPER = "/run/holdfast/keeper.sock"
DEVICE = "/dev/holdfast0"
SECONDS = 10        # for one answer


def by_account(made, who, fn):
    """fn(inputs) in a process of each account; root here. Answers in the order of @made."""
    out = [None] * len(made)
    for account in dict.fromkeys(map(who, made)):
        mine = [i for i, m in enumerate(made) if who(m) == account]
        job = [made[i] for i in mine]
        answers = fn(job) if account in ("", "root") else api.as_account(account, lambda j=job: fn(j))
        for i, answer in zip(mine, answers):
            out[i] = tuple(answer)
    return out


# --------------------------------------------------------------------- HTTP

QUIET_S = 0.3       # so long without a byte: the agent waits for more


def exchange(via, data, quiet_s=QUIET_S):
    """All that is answered to @data, until the agent closes. This side is shut only when the agent waits for more, which
    it seems to when nothing comes for @quiet_s: libmicrohttpd drops a request whose sender has shut already, and what is
    not read is not refused."""
    try:
        s = api.connect(via, SECONDS)
    except OSError as e:
        return b"", f"connect: {e}"
    out, why = b"", ""
    try:
        s.sendall(data)
    except OSError:
        pass        # it has said no before it had all
    try:
        open_ = True
        while True:
            if open_ and not select.select([s], [], [], quiet_s)[0]:
                s.shutdown(socket.SHUT_WR)
                open_ = False
            got = s.recv(1 << 16)
            if not got:
                break
            out += got
    except OSError as e:
        why = "" if e.errno in (errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE) else repr(e)
    s.close()
    return out, why


def fill(data, words):
    """Puts credentials in the place of their names."""
    for name in words if b"@" in data else ():
        data = data.replace(b"@%s@" % name.encode(), words[name].encode())
    return data


def http(via, made, world):
    def one(item):
        out, why = exchange(via, fill(item[1], world.words))
        statuses = [int(x) for x in re.findall(rb"^HTTP/1\.1 (\d{3}) ", out.replace(b"}HTTP/1.1", b"}\nHTTP/1.1"), re.M)]
        statuses = [s for s in statuses if s != 100]
        if why:
            return False, f"no end: {why} {statuses}"
        return any(s < 400 for s in statuses), f"{statuses} {out[-160:]!r}"
    return by_account(made, lambda item: item[0], lambda job: [one(item) for item in job])


def http_net(made, world):
    return http("net", made, world)


def http_local(made, world):
    return http("local", made, world)


def steps(made):
    """(method, path, body) one after the other as root; {name} is what an answer before has called so."""
    client, known, out = api.Client("local"), {}, []
    secret = "/var/lib/holdfast/auth/first-run-secret"
    if os.path.exists(secret):
        with open(secret, encoding="ascii") as f:
            known["first-run"] = f.read().strip()

    def put(text):
        return re.sub(r"\{([a-z-]+)\}", lambda m: known.get(m[1], m[0]), text)

    for method, path, body in made:
        if body is not None:
            body = {k: put(v) if k == "secret" else v for k, v in body.items()}
        # A session that is begun must not become the credential of the next call; HEAD has no body to read.
        if method == "HEAD":
            data, why = exchange("local", f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(), SECONDS)
            out.append((data.startswith(b"HTTP/1.1 200 "), f"{data[:80]!r} {why}"))
            continue
        answer, end = client.call(method, put(path), body), time.monotonic() + 60
        while answer.code == "no_checkpoint" and time.monotonic() < end:    # the log is younger than a second
            time.sleep(0.2)
            answer = client.call(method, put(path), body)
        if isinstance(answer.result, dict):
            known.update({k: v for k, v in answer.result.items() if isinstance(v, str)})
        out.append((answer.status < 400, f"{answer.status} {answer.body[:200]!r}"))
    return out


# ------------------------------------------------------------------- keeper

KINDS = {"seqpacket": socket.SOCK_SEQPACKET, "stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "raw": socket.SOCK_RAW}


def keeper_once(item, null):
    try:
        s = socket.socket(socket.AF_UNIX, KINDS[item["kind"]])
        s.settimeout(SECONDS)
        s.connect(KEEPER)
    except OSError as e:
        return False, f"connect: {e}"
    with s:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * item["fds"]))] if item["fds"] else []
        try:
            s.sendmsg([item["data"]], control)
            reply, cmsgs, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(16))
        except OSError as e:
            return False, repr(e)
    fds = array.array("i")
    for _, _, data in cmsgs:
        fds.frombytes(data[:len(data) // 4 * 4])
    for fd in fds:
        os.close(fd)
    if not reply:
        return bool(fds), "hung up"
    error = struct.unpack_from("<i", reply, 8)[0]
    text = reply[24:].split(b"\0")[0].decode(errors="replace")
    return error >= 0 or bool(fds), f"{errno.errorcode.get(-error, error)} {text} {len(fds)} descriptors"


def keeper(made, world):
    del world

    def job(items):
        out, null = [], os.open("/dev/null", os.O_RDONLY)
        for item in items:
            answer = keeper_once(item, null)
            while "too many requests" in answer[1]:     # that is no verdict about this one
                time.sleep(0.05)
                answer = keeper_once(item, null)
            out.append(answer)
        return out
    return by_account(made, lambda item: item["who"], job)


# ------------------------------------------------------------ configuration

def holdfastd_check(path, env):
    done = subprocess.run([HFD, "--config", path, "--check"], capture_output=True, check=False, timeout=SECONDS, env={**os.environ, **env})
    return ended(done)


def ended(done):
    text = (done.stderr + done.stdout)[-300:].decode(errors="replace")
    if done.returncode < 0 or done.returncode > 125 or "Sanitizer" in text or "runtime error" in text:
        return False, f"crash {done.returncode} {text}"
    return done.returncode == 0, f"{done.returncode} {text}"


def config(made, world):
    del world
    client = api.Client("local")

    def one(how, what):
        if how == "env":
            return holdfastd_check(ETC, what)
        if how == "path":
            return holdfastd_check(what, {})
        if how == "check":
            with tempfile.NamedTemporaryFile() as f:
                f.write(what)
                f.flush()
                return holdfastd_check(f.name, {})
        head = b"POST /v1/config/" + (b"apply" if how == "apply" else b"check") + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        body = b'{"text":"' + escape(what) + b'"}'
        answer = raw_call(client, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        if answer is None:
            return False, "closed"
        good = answer.status < 400 and (how == "apply" or answer.result.get("errors") == [])
        return good, f"{answer.status} {answer.body[:300]!r}"
    return [one(*item) for item in made]


def escape(data):
    """Bytes as the inside of a JSON string; those that are no UTF-8 stay as they are."""
    short = {0x22: b'\\"', 0x5C: b"\\\\"}
    return b"".join(short.get(b) or (b"\\u%04x" % b if b < 32 else bytes([b])) for b in data)


def raw_call(client, data):
    """One request on the connection of @client, opened again if need be. None: closed without an answer."""
    for _ in range(2):
        if client.s is None:
            client.s = api.connect(client.via)
            client.f = client.s.makefile("rb")
        try:
            client.s.sendall(data)
        except OSError:
            pass        # it may have said no before it had all
        try:
            answer = api.read_answer(client.f)
        except (api.Closed, ConnectionError):
            client.close()
            continue
        if dict(answer.headers).get("connection", "").lower() == "close":
            client.close()
        return answer
    return None


# ------------------------------------------------------------- command line

def cli_folder():
    folder = tempfile.mkdtemp(prefix="hf-corpus-")
    os.chmod(folder, 0o755)
    for name, data in cli_corpus.FILES.items():
        path = os.path.join(folder, name)
        if data is None:
            os.symlink("/etc/shadow", path)
        else:
            with open(path, "wb") as f:
                f.write(data)
    return folder


def cli_once(argv, stdin, folder):
    argv = [a.replace("@dir@", folder) for a in argv]
    try:
        done = subprocess.run([HF, *argv], input=stdin, capture_output=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, "crash: no end"
    except OSError as e:        # the kernel does not take such an argument
        return False, repr(e)
    return ended(done)


def cli(made, world):
    del world
    folder = cli_folder()
    return by_account(made, lambda item: item[0], lambda job: [cli_once(argv, stdin, folder) for _, argv, stdin in job])


# ------------------------------------------------------------------ netlink

def netlink(made, world):
    del world
    sys.path.insert(0, "tests/vm")
    import genl
    return [tuple(a) for a in api.as_account("nobody", lambda: netlink_job(made, genl))]


def netlink_job(made, genl):
    family = genl.Raw().family("holdfast")
    return [netlink_once(item, genl, family) for item in made]


def netlink_once(item, genl, family):
    raw = genl.Raw()
    with raw.sock:
        if "group" in item:
            try:
                raw.join(family.groups[item["group"]])
                return True, "joined"
            except OSError as e:
                return False, repr(e)
        if "raw" in item:
            data = item["raw"]
            if len(data) >= 8:      # the number of the family is this kernel's
                data = data[:4] + struct.pack("H", family.id) + data[6:]
            try:
                raw.sock.send(data)
            except OSError as e:
                return False, repr(e)
            return netlink_answer(raw)
        flags = genl.NLM_F_REQUEST | (genl.NLM_F_DUMP if item["dump"] else genl.NLM_F_ACK)
        msg = struct.pack("BBH", item["cmd"], family.version, item.get("reserved", 0)) + item["body"]
        try:
            raw.sock.send(struct.pack("IHHII", 16 + len(msg), family.id, flags, 1, 0) + msg)
        except OSError as e:
            return False, repr(e)
        return netlink_answer(raw)


def netlink_answer(raw):
    """The kernel answers before send(2) returns, or never."""
    raw.sock.setblocking(False)
    success, seen = False, []
    try:
        for _ in range(64):
            data = raw.sock.recv(1 << 17)
            while len(data) >= 16:
                length, kind = struct.unpack_from("IH", data)
                code = struct.unpack_from("i", data, 16)[0] if kind in (2, 3) else 0
                success |= not code
                seen.append((kind, errno.errorcode.get(-code, code)))
                data = data[(length + 3) & ~3:]
    except BlockingIOError:
        pass
    return success, str(seen[:4])


# ------------------------------------------------------------------- device

def lease_fd(account):
    """A lease of @account that may submit frames and nothing else."""
    uid = pwd.getpwnam(account).pw_uid
    os.setegid(grp.getgrnam("holdfast").gr_gid)
    os.seteuid(uid)     # the kernel notes who connects
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(KEEPER)
    finally:
        os.seteuid(0)
        os.setegid(0)
    s.send(wire.packet(duration_ms=wire.LEASE_MAX_MS))
    reply, fds, _, _ = socket.recv_fds(s, 4096, 1)
    if not fds:
        raise RuntimeError(f"no lease: {reply[24:]}")
    return fds[0]


def device(made, world):
    return [tuple(a) for a in api.as_account("hf-operator", lambda: device_job(made, world.lease))]


def device_job(made, lease):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
    files = {"rw": os.open(DEVICE, os.O_RDWR), "ro": os.open(DEVICE, os.O_RDONLY), "lease": lease}
    keep, out = [], []
    for item in made:
        data = bytearray(item["data"])
        for offset, size in item.get("ptrs", {}).items():
            keep.append(ctypes.create_string_buffer(size * 16))
            struct.pack_into("Q", data, offset, ctypes.addressof(keep[-1]))
        room = ctypes.create_string_buffer(bytes(data), len(data) + 65536)
        where = item.get("arg", ctypes.addressof(room))
        ret = libc.ioctl(files[item["on"]], item["cmd"], where)
        out.append((ret >= 0, "0" if ret >= 0 else errno.errorcode[ctypes.get_errno()]))
    return out
