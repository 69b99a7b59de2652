# SPDX-License-Identifier: GPL-2.0
"""A raw generic netlink client for tests: it sends what no honest client sends, and asks the
kernel's controller what a family is like. It knows nothing of Holdfast.
"""
import errno
import socket
import struct

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 1, 4, 0x10, 0x300
NLA_F_NESTED = 0x8000
SO_RCVBUFFORCE = 33
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK, STRICT_CHK = 270, 1, 10, 11, 12
GENL_ID_CTRL, CTRL_GETFAMILY, CTRL_GETPOLICY = 16, 3, 10


def attr(kind, payload):
    return struct.pack("HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def u32(value):
    return struct.pack("I", value)


def attrs_of(raw):
    """[(type without flags, payload)] of a stream of attributes."""
    out = []
    while len(raw) >= 4:
        length, kind = struct.unpack_from("HH", raw)
        out.append((kind & 0x3FFF, raw[4:length]))
        raw = raw[(length + 3) & ~3:]
    return out


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{errno.errorcode.get(code, code)}: {message}")
        self.errno, self.message = code, message


class Raw:
    """One generic netlink socket. ask() returns [(cmd, attributes)] or raises Refused."""

    def __init__(self, rcvbuf=None):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, rcvbuf)
        self.sock.bind((0, 0))
        for option in (CAP_ACK, EXT_ACK, STRICT_CHK):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.sock.settimeout(10)
        self.seq = 0

    def ask(self, family, cmd, body=b"", dump=False, reserved=0):
        self.seq += 1
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        msg = struct.pack("BBH", cmd, 1, reserved) + body
        self.sock.send(struct.pack("IHHII", 16 + len(msg), family, flags, self.seq, 0) + msg)
        replies = []
        while True:
            for kind, seq, payload in self.messages():
                if seq != self.seq:
                    continue
                if kind == 2:
                    self.refuse(payload)
                    return replies
                if kind == 3:
                    if len(payload) >= 4 and struct.unpack_from("i", payload)[0] < 0:
                        self.refuse(payload, done=True)
                    return replies
                replies.append((payload[0], payload[4:]))

    def messages(self):
        data = self.sock.recv(1 << 17)
        while len(data) >= 16:
            length, kind, _, seq, _ = struct.unpack_from("IHHII", data)
            yield kind, seq, data[16:length]
            data = data[(length + 3) & ~3:]

    @staticmethod
    def kinds(data):
        """(type, flags) of each message."""
        while len(data) >= 16:
            length, kind, flags = struct.unpack_from("IHH", data)
            yield kind, flags
            data = data[(length + 3) & ~3:]

    @staticmethod
    def refuse(payload, done=False):
        code = -struct.unpack_from("i", payload)[0]
        if code == 0:
            return
        message = ""
        for kind, value in attrs_of(payload[4 if done else 20:]):
            if kind == 1:
                message = value.rstrip(b"\0").decode()
        raise Refused(code, message)

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)

    def family(self, name):
        (_, raw), = self.ask(GENL_ID_CTRL, CTRL_GETFAMILY, attr(2, name.encode() + b"\0"))
        return Family(dict(attrs_of(raw)))


class Family:
    """What nlctrl says of the family."""

    def __init__(self, attrs):
        self.id = struct.unpack("H", attrs[1])[0]
        self.version = struct.unpack("I", attrs[3])[0]
        self.ops = {}
        for _, raw in attrs_of(attrs[6]):
            op = dict(attrs_of(raw))
            self.ops[struct.unpack("I", op[1])[0]] = struct.unpack("I", op[2])[0]
        self.groups = {}
        for _, raw in attrs_of(attrs[7]):
            group = dict(attrs_of(raw))
            self.groups[group[1].rstrip(b"\0").decode()] = struct.unpack("I", group[2])[0]


def policies(raw, family_id):
    """({cmd: {"do" or "dump": policy index}}, {index: {attribute: {property: value}}})."""
    ops, table = {}, {}
    for _, payload in raw.ask(GENL_ID_CTRL, CTRL_GETPOLICY,
                              attr(1, struct.pack("H", family_id)), dump=True):
        for kind, value in attrs_of(payload):
            for index, inner in attrs_of(value) if kind in (8, 9) else []:
                if kind == 8:    # CTRL_ATTR_POLICY: index -> attribute -> properties
                    for number, props in attrs_of(inner):
                        table.setdefault(index, {})[number] = dict(attrs_of(props))
                else:            # CTRL_ATTR_OP_POLICY: command -> do, dump
                    ops[index] = {("", "do", "dump")[k]: struct.unpack("I", v)[0]
                                  for k, v in attrs_of(inner)}
    return ops, table
