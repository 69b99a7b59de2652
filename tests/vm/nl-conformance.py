#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Does the netlink family do what uapi/holdfast.yaml says?

Runs in a guest, as root, with simulated arrays of its own; prints TAP. Two
clients ask: the kernel's own ynl library, which knows nothing but the YAML, and
a raw one for what no honest client sends. What the YAML says is compared with
what the kernel reports of itself (operations, groups, policies) and with replies.
"""
import ctypes
import errno
import fcntl
import glob
import os
import socket
import struct
import subprocess
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOLS = os.path.join(os.environ.get("HOLDFAST_CACHE", "/var/cache/holdfast"), "linux-6.12-tools")
SPEC = os.path.join(ROOT, "uapi/holdfast.yaml")
SCHEMA = os.path.join(TOOLS, "Documentation/netlink/genetlink-legacy.yaml")
sys.path.insert(0, os.path.join(TOOLS, "tools/net/ynl"))
from lib import YnlFamily  # noqa: E402
from genl import (  # noqa: E402
    NLA_F_NESTED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, Raw, Refused, attr, attrs_of,
    policies, u32)

class Ynl(YnlFamily):
    """The kernel's library, which in 6.12 does not know what to do with padding."""

    def __init__(self):
        super().__init__(SPEC, schema=SCHEMA)

    def _decode(self, attrs, space, outer_attrs=None):
        pad = self.attr_sets[space]["pad"].value
        return super()._decode([a for a in attrs if a.type != pad], space, outer_attrs)


# What of an event says who it was.
WHO = {"lease", "tenant", "pid", "uid", "comm", "corr"}
SIM = "/sys/kernel/config/holdfast_sim"
RING = 1024  # HF_EVENTS
INDEX = 2  # the same in every attribute set, by the YAML
# 6.1 has no way for a dump that is refused to say why; the errno is the same.
MUTE_DUMPS = os.uname().release.startswith("6.1.")


# ------------------------------------------------------------------- the array

class Array:
    """A simulated array; its attributes are files."""

    def __init__(self, name, **settings):
        self.name, self.dir = name, f"{SIM}/{name}"
        os.mkdir(self.dir)
        for file, value in settings.items():
            self.write(file, str(value))
        self.write("live", "1")
        self.index = int(self.read("array").replace("holdfast", ""))

    def write(self, file, value):
        with open(f"{self.dir}/{file}", "w") as f:
            f.write(value)

    def read(self, file):
        with open(f"{self.dir}/{file}") as f:
            return f.read().strip()

    def sysfs(self, file):
        with open(f"/sys/class/holdfast/holdfast{self.index}/{file}") as f:
            return f.read().strip()

    def make_events(self, n):
        """At least @n events: a keeper that comes and goes."""
        claim = 3 << 30 | 32 << 16 | 0xDF << 8 | 0x10  # HOLDFAST_IOC_KEEPER_CLAIM
        start = int(self.sysfs("event_seq"))
        while int(self.sysfs("event_seq")) < start + n:
            for _ in range(16):
                fd = os.open(f"/dev/holdfast{self.index}", os.O_RDWR)
                fcntl.ioctl(fd, claim, bytearray(struct.pack("IIQIIQ", 32, 0, 0, 0, 0, 0)))
                os.close(fd)

    def remove(self):
        self.write("live", "0")
        os.rmdir(self.dir)


def child(fn):
    """The exit status of @fn() in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(fn() or 0)
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ----------------------------------------------------------------------- tests

class Conformance:
    def __init__(self):
        self.raw = Raw()
        self.family = self.raw.family("holdfast")
        self.ynl = Ynl()
        self.spec = self.ynl.yaml
        self.cmd = {name: op.req_value for name, op in self.ynl.ops.items()}
        self.flags = self.ynl.attr_sets["array"]["silence-flags"].value
        self.since = self.ynl.attr_sets["event"]["since-seq"].value
        for space in ("array", "event", "status"):
            assert self.ynl.attr_sets[space]["index"].value == INDEX
        self.one, self.two = Array("nl-one"), Array("nl-two")

    def request_attrs(self, op, mode):
        """Attributes that the YAML lets a request carry; None: there is no such request."""
        body = self.ynl.ops[op].yaml.get(mode)
        if body is None:
            return None
        return body.get("request", {}).get("attributes", [])

    def reply_attrs(self, op, mode):
        return set(self.ynl.ops[op].yaml[mode]["reply"]["attributes"])

    def refused(self, code, op, body=b"", dump=False, message=None, **how):
        try:
            self.raw.ask(self.family.id, self.cmd.get(op, op), body, dump, **how)
        except Refused as e:
            assert e.errno == code, f"{e}, expected {errno.errorcode[code]}"
            if dump and MUTE_DUMPS and not e.message:
                return
            assert e.message, "refused without a message"
            assert message is None or message in e.message, e.message
            return
        raise AssertionError(f"not refused: {op}")

    def subscribe(self, group, rcvbuf=None):
        raw = Raw(rcvbuf)
        raw.join(self.family.groups[group])
        return raw

    def replay(self, index, since=0):
        return self.ynl.dump("event-get", {"index": index, "since-seq": since})

    def newest(self, index):
        return self.ynl.do("array-get", {"index": index})["event-seq"]

    # -- what the kernel says of the family

    def test_family_is_as_in_the_yaml(self):
        assert self.family.version == self.spec["version"]
        groups = {g["name"] for g in self.spec["mcast-groups"]["list"]}
        assert set(self.family.groups) == groups, self.family.groups

    def test_operations_are_as_in_the_yaml(self):
        want = {}
        for name in self.cmd:
            op = self.ynl.ops[name].yaml
            flags = 8  # has a policy
            flags |= 1 if "admin-perm" in op.get("flags", []) else 0
            flags |= 2 if "do" in op else 0
            flags |= 4 if "dump" in op else 0
            want[self.cmd[name]] = flags
        assert self.family.ops == want, f"kernel {self.family.ops}, YAML {want}"

    def test_policies_are_as_in_the_yaml(self):
        names = {4: "u32", 5: "u64"}  # enum netlink_attribute_type
        ops, table = policies(self.raw, self.family.id)
        assert set(ops) == set(self.cmd.values()), ops
        for name, number in self.cmd.items():
            spec = self.ynl.ops[name]
            modes = [m for m in ("do", "dump") if m in spec.yaml]
            assert set(ops[number]) == set(modes), f"{name}: {ops[number]}"
            # per-op: one policy for both modes
            allowed = {a for m in modes for a in self.request_attrs(name, m)}
            want = {spec.attr_set[a].value: spec.attr_set[a] for a in allowed}
            for mode in modes:
                have = table[ops[number][mode]]
                assert set(have) == set(want), f"{name} {mode}: {set(have)} and {set(want)}"
                for value, props in have.items():
                    kind = names.get(struct.unpack("I", props[1])[0])
                    assert kind == want[value]["type"], f"{name} {want[value].name}: {kind}"
                    checks = want[value].yaml.get("checks", {})
                    assert (12 in props) == ("flags-mask" in checks), f"{name}: mask"
                    if 12 in props:
                        mask = self.ynl.consts[checks["flags-mask"]].get_mask()
                        assert struct.unpack("Q", props[12])[0] == mask

    # -- array-get

    def test_array_get_dump(self):
        got = [a for a in self.ynl.dump("array-get", {})
               if a["serial"] in (self.one.name, self.two.name)]
        assert [a["index"] for a in got] == sorted([self.one.index, self.two.index])
        for a in got:
            absent = self.reply_attrs("array-get", "dump") - set(a)
            assert absent == {"trip-reason"}, absent
            assert a["state"] == "silent" and a["trip-cause"] == "none", a

    def test_array_get_do_agrees_with_sysfs(self):
        for array in (self.one, self.two):
            a = self.ynl.do("array-get", {"index": array.index})
            for word in ("model", "serial", "state"):
                assert a[word] == array.sysfs(word), word
            for number in ("index", "instance", "channels", "epoch"):
                assert a[number] == int(array.sysfs(number)), number
            assert a["trip-cause"] == array.sysfs("trip_cause")

    def test_array_get_refusals(self):
        self.refused(errno.ENODEV, "array-get", attr(INDEX, u32(4711)), message="no array")
        self.refused(errno.EINVAL, "array-get", message="index is required")
        self.refused(errno.EINVAL, "array-get", attr(INDEX, u32(0)), dump=True, message="no index")

    def test_dump_that_arrays_leave_is_marked_as_such(self):
        crowd = [Array(f"nl-{i}", rows=1, cols=1) for i in range(48)]
        try:
            for leave in (False, True):
                raw = Raw()
                body = struct.pack("BBH", self.cmd["array-get"], 1, 0)
                raw.sock.send(struct.pack("IHHII", 16 + len(body), self.family.id,
                                          NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
                flags, done, reads = 0, False, 0
                while not done:
                    for kind, flag in raw.kinds(raw.sock.recv(4096)):
                        done, flags = done or kind == 3, flags | flag
                    reads += 1
                    if leave and reads == 1:
                        crowd.pop().remove()
                assert reads > 2, "it fits one message"
                assert bool(flags & NLM_F_DUMP_INTR) == leave, (leave, flags)
        finally:
            for array in crowd:
                array.remove()

    # -- events

    def test_replay_from_the_beginning(self):
        events = self.replay(self.one.index)
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        assert events[0]["type"] == "added"
        optional = {"lost", "reason", "corr"}
        for e in events:
            absent = self.reply_attrs("event-get", "dump") - set(e)
            assert absent <= optional, absent
            assert e["instance"] == int(self.one.sysfs("instance"))
            assert abs(e["real-ns"] / 1e9 - time.time()) < 600
        times = [e["time-ns"] for e in events]
        assert times == sorted(times)

    def test_replay_since(self):
        newest = self.newest(self.one.index)
        assert self.replay(self.one.index, newest) == []
        assert [e["seq"] for e in self.replay(self.one.index, newest - 1)] == [newest]
        since = attr(self.since, struct.pack("Q", newest + 1))
        self.refused(errno.ERANGE, "event-get", attr(INDEX, u32(self.one.index)) + since, dump=True,
                     message="newer")
        self.refused(errno.EINVAL, "event-get", dump=True, message="index is required")
        self.refused(errno.ENODEV, "event-get", attr(INDEX, u32(4711)), dump=True)

    def test_latched_silence_is_an_event_to_subscribers(self):
        watcher = Ynl()
        watcher.ntf_subscribe("safety")
        before = self.newest(self.one.index)
        self.ynl.do("silence", {"index": self.one.index, "silence-flags": ["latch"]})
        a = self.ynl.do("array-get", {"index": self.one.index})
        assert a["state"] == "tripped" and a["trip-cause"] == "operator", a
        assert a["trip-count"] == 1
        deadline = time.monotonic() + 5
        seen = []
        while time.monotonic() < deadline and not any(m["msg"]["type"] == "trip" for m in seen):
            watcher.check_ntf()
            seen, watcher.async_msg_queue = seen + watcher.async_msg_queue, []
            time.sleep(0.02)
        trips = [m for m in seen if m["msg"]["type"] == "trip"]
        assert len(trips) == 1 and trips[0]["name"] == "event-ntf", seen
        trip = trips[0]["msg"]
        assert trip["cause"] == "operator" and trip["severity"] == "critical", trip
        assert trip["state"] == "tripped" and trip["seq"] > before
        assert not WHO & set(trip), f"everybody is told who: {trip}"
        replayed = {e["seq"]: e for e in self.replay(self.one.index, before)}[trip["seq"]]
        what = {k: v for k, v in replayed.items() if k not in WHO}
        assert what == trip, "the replay is not what was multicast"
        assert replayed["pid"] == os.getpid() and replayed["comm"], replayed

    def test_audit_says_who_and_for_which_request(self):
        array = Array("nl-audit", rows=1, cols=1)
        watcher = Ynl()
        watcher.ntf_subscribe("audit")
        before = self.newest(array.index)
        fd = os.open(f"/dev/holdfast{array.index}", os.O_RDONLY)
        corr = bytes(range(1, 17))
        latch = struct.pack("II", 24, 1) + corr
        fcntl.ioctl(fd, 3 << 30 | 24 << 16 | 0xDF << 8 | 0x21, latch)  # HOLDFAST_IOC_SILENCE
        os.close(fd)
        deadline = time.monotonic() + 5
        seen = []
        while time.monotonic() < deadline and not any(m["msg"]["type"] == "trip" for m in seen):
            watcher.check_ntf()
            seen, watcher.async_msg_queue = seen + watcher.async_msg_queue, []
            time.sleep(0.02)
        trip, = (m["msg"] for m in seen if m["msg"]["type"] == "trip" and m["name"] == "audit-ntf")
        assert trip["corr"] == corr and trip["pid"] == os.getpid() and trip["uid"] == 0, trip
        replayed = {e["seq"]: e for e in self.replay(array.index, before)}
        assert replayed[trip["seq"]] == trip, "the replay is not what was multicast"
        assert "corr" not in self.replay(array.index)[0]
        array.remove()

    def test_plain_silence(self):
        self.ynl.do("silence", {"index": self.two.index})
        self.ynl.do("silence", {"index": self.two.index, "silence-flags": []})
        assert self.two.sysfs("state") == "silent"

    def test_replay_of_an_overrun_ring(self):
        self.two.make_events(2 * RING)
        a = self.ynl.do("array-get", {"index": self.two.index})
        oldest, newest = a["oldest-seq"], a["event-seq"]
        assert newest - oldest == RING - 1 and oldest > 1, a
        events = self.replay(self.two.index)
        assert events[0]["lost"] == oldest - 1, events[0]
        assert [e["seq"] for e in events] == list(range(oldest, newest + 1))
        assert not any("lost" in e for e in events[1:])
        assert "lost" not in self.replay(self.two.index, oldest - 1)[0]
        assert self.replay(self.two.index, oldest - 3)[0]["lost"] == 2

    def test_of_100_subscribers_the_slow_one_sees_its_gap_and_replays_it(self):
        slow = self.subscribe("safety", 4096)
        quick = [self.subscribe("safety", 1 << 20) for _ in range(99)]
        start = self.newest(self.two.index)
        self.two.make_events(300)
        end = self.newest(self.two.index)
        seq_of = self.ynl.attr_sets["event"]["seq"].value

        def read(raw, last):
            """Sequence numbers up to @last, and whether the socket said that it lost some."""
            seqs, overrun = [], False
            raw.sock.settimeout(0.5)
            while last not in seqs:
                try:
                    for _, _, payload in raw.messages():
                        event = dict(attrs_of(payload[4:]))
                        if struct.unpack("I", event[2])[0] == self.two.index:
                            seqs.append(struct.unpack("Q", event[seq_of])[0])
                except OSError as e:
                    if isinstance(e, socket.timeout):
                        break
                    assert e.errno == errno.ENOBUFS, e
                    overrun = True
            return seqs, overrun

        for raw in quick:
            seqs, overrun = read(raw, end)
            assert seqs == list(range(start + 1, end + 1)) and not overrun, (start, end, seqs)
        seqs, overrun = read(slow, end)
        assert overrun and len(seqs) < end - start, "it was not slow"
        last = start
        for s in seqs:
            if s != last + 1:
                break
            last = s
        replayed = [e["seq"] for e in self.replay(self.two.index, last)]
        assert replayed == list(range(last + 1, self.newest(self.two.index) + 1))

    # -- status and telemetry

    def test_status_get(self):
        s = self.ynl.do("status-get", {"index": self.two.index})
        absent = self.reply_attrs("status-get", "do") - set(s)
        assert absent <= {"fence", "last-reject", "nearest"}, absent
        assert s["instance"] == int(self.two.sysfs("instance"))
        kinds = [x["kind"] for x in s["sensor"]]
        assert kinds.count("temp") == 2 and set(kinds) == {"temp", "supply", "current", "fan"}
        for x in s["sensor"]:
            assert x["fault"] == "ok" and "value" in x and "time-ns" in x, x
        temp = s["sensor"][kinds.index("temp")]["value"]
        assert 0 < temp < 100000, temp
        self.refused(errno.ENODEV, "status-get", attr(INDEX, u32(4711)))
        self.refused(errno.EINVAL, "status-get", message="index is required")

    def test_lost_sensor_has_no_value(self):
        self.two.write("fault_temp0", "lost")
        try:
            time.sleep(0.5)
            s = self.ynl.do("status-get", {"index": self.two.index})
            temp = [x for x in s["sensor"] if x["kind"] == "temp"][0]
            assert temp["fault"] == "lost", temp
            assert "value" not in temp and "time-ns" not in temp, temp
            hwmon = glob.glob(f"/sys/class/holdfast/holdfast{self.two.index}/hwmon*")[0]
            with open(f"{hwmon}/temp1_fault") as f:
                assert f.read() == "1\n"
            for name in ("temp1_input", "temp1_max_alarm", "temp1_crit_alarm"):
                try:
                    with open(f"{hwmon}/{name}") as f:
                        raise AssertionError(f"{name} is {f.read()!r}")
                except OSError as e:
                    assert e.errno == errno.ENODATA, e
        finally:
            self.two.write("fault_temp0", "none")

    def test_telemetry_comes_ten_times_a_second(self):
        watcher = Ynl()
        watcher.ntf_subscribe("telemetry")
        time.sleep(2)
        watcher.check_ntf()
        got = [m["msg"] for m in watcher.async_msg_queue if m["msg"]["index"] == self.two.index]
        assert {m["name"] for m in watcher.async_msg_queue} == {"telemetry-ntf"}
        assert 10 <= len(got) <= 25, f"{len(got)} in 2 s"
        status = self.ynl.do("status-get", {"index": self.two.index})
        assert set(got[-1]) == set(status), set(got[-1]) ^ set(status)
        assert [m["tick"] for m in got] == sorted({m["tick"] for m in got})

    # -- what no honest client sends

    def test_attributes_that_are_not_in_the_request_are_refused(self):
        for name in self.cmd:
            space = self.ynl.ops[name].attr_set
            for mode in ("do", "dump"):
                allowed = self.request_attrs(name, mode)
                if allowed is None:
                    continue
                index = attr(INDEX, u32(self.one.index)) if "index" in allowed else b""
                for a in list(space.attrs.values()):
                    if a.name in allowed or (mode == "dump" and a.name == "index"):
                        continue
                    self.refused(errno.EINVAL, name, index + attr(a.value, b"\0" * 8),
                                 dump=mode == "dump")
                self.refused(errno.EINVAL, name, index + attr(100, b"\0" * 8),
                             dump=mode == "dump", message="nknown attribute")

    def test_attributes_of_the_wrong_shape_are_refused(self):
        good = attr(INDEX, u32(self.one.index))
        for name, mode in (("array-get", False), ("status-get", False), ("silence", False),
                           ("event-get", True)):
            self.refused(errno.EINVAL, name, attr(INDEX, b"\0\0"), dump=mode)
            self.refused(errno.EINVAL, name, attr(INDEX, b"\0" * 8), dump=mode)
            self.refused(errno.EINVAL, name, attr(INDEX | NLA_F_NESTED, u32(0)), dump=mode)
            self.refused(errno.EINVAL, name, good + b"\1\2\3\4", dump=mode)
        self.refused(errno.EINVAL, "event-get", good + attr(self.since, u32(0)), dump=True)

    def test_reserved_bits_are_refused(self):
        good = attr(INDEX, u32(self.one.index))
        for bad in (2, 0x80000000, 3):
            self.refused(errno.EINVAL, "silence", good + attr(self.flags, u32(bad)),
                         message="reserved bit")
        try:
            self.raw.ask(self.family.id, self.cmd["array-get"], good, reserved=1)
        except Refused as e:
            assert e.errno == errno.EINVAL, e
        else:
            raise AssertionError("reserved bytes of the header are ignored")

    def test_modes_and_commands_that_do_not_exist(self):
        good = attr(INDEX, u32(self.one.index))
        for cmd, dump in (("event-get", False), ("status-get", True), ("silence", True),
                          (self.cmd["silence"] + 1, False), (0, False), (200, True)):
            try:
                self.raw.ask(self.family.id, self.cmd.get(cmd, cmd), good, dump)
            except Refused as e:
                assert e.errno == errno.EOPNOTSUPP, f"{cmd}: {e}"
            else:
                raise AssertionError(f"{cmd} exists")

    # -- who may

    def test_unprivileged_reads_but_does_not_silence(self):
        def nobody():
            os.setgid(65534)
            os.setuid(65534)
            raw = Raw()
            index = attr(INDEX, u32(self.two.index))
            assert raw.ask(self.family.id, self.cmd["array-get"], index)
            assert raw.ask(self.family.id, self.cmd["status-get"], index)
            attrs = self.ynl.attr_sets["event"]
            who = {attrs[name].value for name in WHO}
            events = raw.ask(self.family.id, self.cmd["event-get"], index, dump=True)
            assert len(events) > 10
            for _, event in events:
                told = who & {kind for kind, _ in attrs_of(event)}
                assert not told, f"an unprivileged replay tells {told}"
            raw.join(self.family.groups["safety"])
            raw.join(self.family.groups["telemetry"])
            try:
                raw.join(self.family.groups["audit"])
                return 2
            except PermissionError:
                pass
            try:
                raw.ask(self.family.id, self.cmd["silence"], index + attr(self.flags, u32(1)))
            except Refused as e:
                assert e.errno == errno.EPERM, e
                return 0
            return 1
        assert child(nobody) == 0
        assert self.two.sysfs("state") == "silent"

    def test_other_network_namespaces_have_no_family(self):
        if not os.path.exists("/proc/self/ns/net"):
            return "this kernel has no network namespaces"

        def elsewhere():
            libc = ctypes.CDLL(None, use_errno=True)
            if os.path.exists("/proc/self/ns/user"):
                os.setgid(65534)
                os.setuid(65534)
                flags = 0x50000000  # CLONE_NEWUSER | CLONE_NEWNET
            else:
                flags = 0x40000000
            if libc.unshare(flags) and libc.unshare(0x40000000):
                return 77
            try:
                Raw().family("holdfast")
            except Refused as e:
                assert e.errno == errno.ENOENT, e
                return 0
            return 1
        status = child(elsewhere)
        if status == 77:
            return "unshare is forbidden here"
        assert status == 0
        return None

    # -- the end of an array

    def test_removal_is_an_event_and_the_index_is_gone(self):
        watcher = Ynl()
        watcher.ntf_subscribe("safety")
        index = self.one.index
        self.one.remove()
        time.sleep(0.2)
        watcher.check_ntf()
        types = [m["msg"]["type"] for m in watcher.async_msg_queue
                 if m["msg"]["index"] == index]
        assert types and types[-1] == "removed", types
        for op, dump in (("array-get", False), ("status-get", False), ("silence", False),
                         ("event-get", True)):
            self.refused(errno.ENODEV, op, attr(INDEX, u32(index)), dump=dump)

    def test_dump_survives_removal_and_is_not_continued_with_another_array(self):
        raw = Raw()
        body = struct.pack("BBH", self.cmd["event-get"], 1, 0) + attr(INDEX, u32(self.two.index))
        raw.sock.send(struct.pack("IHHII", 16 + len(body), self.family.id,
                                  NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        first = list(raw.messages())
        assert first and first[0][0] == self.family.id
        self.two.remove()
        others = [Array("nl-three", rows=1, cols=1), Array("nl-four", rows=1, cols=1)]
        assert self.two.index in [other.index for other in others]
        end = None
        while end is None:
            for kind, _, payload in raw.messages():
                if kind in (2, 3):
                    end = struct.unpack_from("i", payload)[0]
        assert end == -errno.ENODEV, f"the dump ended with {end}"


def load():
    if not os.path.isdir("/sys/class/holdfast"):
        moddir = os.environ["HOLDFAST_MODDIR"]
        for name in ("holdfast", "holdfast_sim"):
            subprocess.run(["insmod", f"{moddir}/{name}.ko"], check=True)
    if not os.path.isdir(SIM):
        subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"], check=True)


def main():
    load()
    suite = Conformance()
    tests = [n for n in vars(Conformance) if n.startswith("test_")]
    print("TAP version 13")
    print(f"1..{len(tests)}")
    failed = 0
    for number, name in enumerate(tests, 1):
        title = name[5:].replace("_", " ")
        try:
            skip = getattr(suite, name)()
            print(f"ok {number} - {title}" + (f" # SKIP {skip}" if skip else ""), flush=True)
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {title}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
