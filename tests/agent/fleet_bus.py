# SPDX-License-Identifier: GPL-2.0
"""What a reader of the fleet's bus sees: as little of the NATS protocol as a judge needs, and nothing of libnats'. And the server."""
import base64
import contextlib
import json
import os
import selectors
import signal
import socket
import ssl
import subprocess
import threading
import time

from live import until

ADDRESS, PORT, NAME = "10.77.0.1", 4222, "bus.example"
CA, LOG, CONF = "/tmp/pki/ca.pem", "/tmp/nats.log", "/tmp/nats.conf"
PASSWORDS = {"boss": "b0ss", "reader": "r", "warden": "w"}
CONFIG = """
server_name: hub
listen: "10.77.0.1:4222"
mqtt { listen: "127.0.0.1:1884" }
jetstream { store_dir: "/tmp/nats" }
tls { cert_file: "/tmp/pki/bus.pem", key_file: "/tmp/pki/bus.key", timeout: 30 }
authorization { timeout: 30 }
debug: false, trace: true, max_traced_msg_len: 256, logtime: true, log_file: "/tmp/nats.log"
accounts { LAB { jetstream: enabled, users: [
  { user: boss, password: b0ss }
  { user: reader, password: r, permissions: { publish: ["_INBOX.>"], subscribe: ["holdfast.>", "_INBOX.>"] } }
  { user: warden, password: w, permissions: {
      publish: ["holdfast.lab.stop", "holdfast.lab.*.stop", "holdfast.lab.ping", "$JS.API.STREAM.INFO.holdfast", "$JS.API.DIRECT.GET.holdfast.>"]
      subscribe: ["holdfast.lab.>", "_INBOX.>"] } }
  { user: mqtt, password: m, permissions: {
      publish: ["holdfast.lab.stop", "holdfast.lab.*.stop"]
      subscribe: ["holdfast.lab.*.event", "holdfast.lab.*.telemetry", "holdfast.lab.*.stopped", "$MQTT.sub.>"] } }
  %s
] } }
"""
AGENT = """{ user: agent%(i)d, password: "pw%(i)d", permissions: {
    publish: { allow: ["holdfast.lab.host%(i)d.event", "holdfast.lab.host%(i)d.anchor", "holdfast.lab.host%(i)d.telemetry",
      "holdfast.lab.host%(i)d.stopped", "$JS.API.STREAM.INFO.holdfast", "$JS.API.STREAM.CREATE.holdfast",
      "$JS.API.DIRECT.GET.holdfast.holdfast.lab.host%(i)d.>"] },
    subscribe: ["holdfast.lab.stop", "holdfast.lab.host%(i)d.stop", "holdfast.lab.ping", "_INBOX.host%(i)d.>"], allow_responses: true } }"""


class Server:
    """nats-server -js in the network namespace "hub"."""

    def __init__(self, agents):
        with open(CONF, "w", encoding="utf-8") as f:
            f.write(CONFIG % "\n".join(AGENT % {"i": i} for i in range(agents)))
        self.p = None
        self.start()

    def start(self):
        self.p = subprocess.Popen(["ip", "netns", "exec", "hub", "nats-server", "-c", CONF], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return until(self.answers, 60, 0.3)

    @staticmethod
    def answers():
        try:
            Nats().close()
            return True
        except OSError:
            return False

    def kill(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()


class Middle(threading.Thread):
    """On the way to the server, as a proxy or a leaf of it is. Cut, it takes what comes and keeps it; mended, new connections are served at once; and
    what it has kept of older ones it gives when it is told to."""
    ROOM = 1 << 20

    def __init__(self, listen=("10.77.0.2", PORT), server=(ADDRESS, PORT)):
        super().__init__(daemon=True)
        self.listener, self.server = socket.create_server(listen), server
        self.is_cut, self.keeps, self.cuts = False, False, 0
        self.accepted, self.called, self.reached = [], [], []	# when somebody came, when we went to the server, and when it was there
        self.start()

    def cut(self):
        self.cuts += 1
        self.is_cut = self.keeps = True

    def mend(self):
        self.is_cut = False

    def give(self):
        self.keeps = False

    def run(self):
        while True:
            client, _ = self.listener.accept()
            self.accepted.append(time.monotonic())
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def held(self, born):
        return self.is_cut or (born < self.cuts and self.keeps)

    def carry(self, client):
        while self.is_cut:
            time.sleep(0.05)
        born, kept, ends = self.cuts, [], 0
        self.called.append(time.monotonic())
        try:
            server = socket.create_connection(self.server, 5)
        except OSError:
            client.close()
            return
        self.reached.append(time.monotonic())
        sel = selectors.DefaultSelector()
        sel.register(client, selectors.EVENT_READ, server)
        sel.register(server, selectors.EVENT_READ, client)
        while not (ends and not kept):
            for key, _ in sel.select(0.05) if sum(len(x) for _, x in kept) < self.ROOM else ():
                try:
                    data = key.fileobj.recv(65536)
                except OSError:
                    data = b""
                if data:
                    kept.append((key.data, data))
                else:
                    sel.unregister(key.fileobj)
                    ends += 1
            if self.held(born):
                time.sleep(0.05)
                continue
            for to, data in kept:
                with contextlib.suppress(OSError):	# one end that is gone does not hold up the other
                    to.sendall(data)
            kept = []
        client.close()
        # The server reads what it was given before it sees the end.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)
            server.settimeout(10)
            while server.recv(65536):
                pass
        server.close()


class Nats:
    def __init__(self, user="boss", plain=None):
        """@plain: the address of a server without TLS and users."""
        raw = socket.create_connection(plain or (ADDRESS, PORT), 30)
        self.buffer, self.n, self.reply = b"", 0, ""
        self.sock = raw
        try:
            info = b""
            while not info.endswith(b"\r\n"):	# not a byte of TLS
                info += raw.recv(1) or self.gone()
            who = {"verbose": False, "pedantic": False, "headers": True, "lang": "py", "version": "0", "no_responders": True}
            if not plain:
                self.sock = ssl.create_default_context(cafile=CA).wrap_socket(raw, server_hostname=NAME)
                who |= {"user": user, "pass": PASSWORDS.get(user) or user.replace("agent", "pw"), "tls_required": True}
            self.send("CONNECT " + json.dumps(who) + "\r\nPING\r\n")
            while not self.line().startswith(("PONG", "-ERR")):
                pass
        except OSError:
            self.sock.close()
            raise

    @staticmethod
    def gone():
        raise OSError("the server has closed")

    def send(self, text):
        self.sock.sendall(text.encode())

    def take(self, size):
        while len(self.buffer) < size:
            self.buffer += self.sock.recv(65536) or self.gone()
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def line(self):
        while b"\r\n" not in self.buffer:
            self.buffer += self.sock.recv(65536) or self.gone()
        return self.take(self.buffer.index(b"\r\n") + 2)[:-2].decode()

    def subscribe(self, subject):
        self.n += 1
        self.send(f"SUB {subject} {self.n}\r\n")

    def publish(self, subject, data=b"", reply=""):
        self.sock.sendall(f"PUB {subject} {reply} {len(data)}\r\n".encode() + data + b"\r\n")

    def message(self):
        while True:
            words = self.line().split(" ")
            if words[0] == "PING":
                self.send("PONG\r\n")
            elif words[0] in ("MSG", "HMSG"):
                self.sock.settimeout(30)	# the rest of it is on the way
                data = self.take(int(words[-1]) + 2)[:-2]
                self.reply = words[3] if len(words) == (6 if words[0] == "HMSG" else 5) else ""
                return words[1], data[int(words[-2]):] if words[0] == "HMSG" else data
            elif words[0] == "-ERR":
                return " ".join(words)

    def next(self, seconds):
        """(subject, data) or an error's text; None: nothing came."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                return self.message()
            except (TimeoutError, ssl.SSLWantReadError):
                if time.monotonic() >= end:
                    return None

    def ask(self, subject, data=b"", seconds=30):
        inbox = f"_INBOX.{os.getpid()}.{id(self)}.{self.n}"
        self.subscribe(inbox)
        self.publish(subject, data, inbox)
        got = self.next(seconds)
        self.send(f"UNSUB {self.n}\r\n")
        return json.loads(got[1]) if isinstance(got, tuple) and got[1] else None

    def close(self):
        self.sock.close()


def stored(bus, question):
    answer = bus.ask("$JS.API.STREAM.MSG.GET.holdfast", json.dumps(question).encode())
    return answer.get("message") if answer else None


READ = {}	# host: what was read of it already, and behind which message of the stream


def events(name, anew=False, plain=None):
    """What the stream has of a host, oldest first. @anew: all of it is read again."""
    found, seq = ([], 0) if anew else READ.get(name, ([], 0))
    bus = Nats(plain=plain)
    inbox = f"_INBOX.events.{time.monotonic_ns()}"
    made = bus.ask("$JS.API.CONSUMER.CREATE.holdfast", json.dumps({"stream_name": "holdfast", "config": {
        "deliver_subject": inbox, "deliver_policy": "by_start_sequence", "opt_start_seq": seq + 1, "ack_policy": "none",
        "filter_subject": f"holdfast.lab.{name}.event"}}).encode())
    bus.subscribe(inbox)
    for _ in range(made["num_pending"] if made else 0):
        got = bus.next(30)
        if not isinstance(got, tuple):
            break
        found.append(json.loads(got[1]))
        seq = int(bus.reply.split(".")[5])	# $JS.ACK.STREAM.CONSUMER.COPIES.PLACE...
    bus.close()
    READ[name] = found, seq
    return list(found)


def newest(name, what="event", plain=None):
    """The newest that the stream has of a host; {}: nothing."""
    bus = Nats(plain=plain)
    message = stored(bus, {"last_by_subj": f"holdfast.lab.{name}.{what}"})
    bus.close()
    return json.loads(base64.b64decode(message["data"])) if message else {}


def copies(name):
    """How often the server was sent an event that it had been sent before: of its own trace, by the id of the message."""
    seen, again, wanted = set(), 0, False
    with open(LOG, encoding="utf-8", errors="replace") as f:
        for text in f:
            if f"[HPUB holdfast.lab.{name}.event" in text:
                wanted = True
            elif "Nats-Msg-Id:" in text and wanted:
                ident = text.split("Nats-Msg-Id:")[1].split("\\r")[0].strip()
                again += ident in seen
                seen.add(ident)
                wanted = False
    return again
