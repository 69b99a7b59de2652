# SPDX-License-Identifier: GPL-2.0
"""One host of the fleet: the processes of the agent, each started with the user and the rights of its unit (scripts/packaging/systemd), and the
process fleet in a network namespace of its own. The others have no network. And what its audit log says, read from the disk."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from live import HF, until
from records import records

BIN, SANDBOX = "/tmp/holdfastd", os.environ.get("SANDBOX", "kill")
ROLES = ("audit", "auth", "keeper", "export", "local", "fleet")


def unit(name, *argv):
    """The command that starts @argv as systemd would."""
    with open(f"scripts/packaging/systemd/{name}.service", encoding="ascii") as f:
        have = dict(re.findall(r"^(User|Group|CapabilityBoundingSet)=(.*)$", f.read(), re.M))
    caps = ",".join(["-all"] + ["+" + c[4:].lower() for c in have["CapabilityBoundingSet"].split()])
    return ["setpriv", "--reuid", have["User"], "--regid", have.get("Group", have["User"]), "--init-groups", f"--inh-caps={caps}",
            f"--ambient-caps={caps}", f"--bounding-set={caps}", "--securebits=+noroot,+noroot_locked", "--no-new-privs", *argv]


class Role(threading.Thread):
    """Restart=always, for as long as it is wanted."""

    def __init__(self, host, role):
        super().__init__(daemon=True)
        self.host, self.role, self.p, self.wanted = host, role, None, True
        self.start()

    def run(self):
        wire = ["nsenter", f"--net=/run/netns/{self.host.name}"] if self.role == "fleet" else []
        while self.wanted:
            self.p = subprocess.Popen(wire + unit("holdfast-" + self.role, BIN, "-x", self.role, "--attach", self.host.attach, "--sandbox", SANDBOX),
                                      stdout=subprocess.DEVNULL, stderr=self.host.log_file, env={})
            self.p.wait()
            time.sleep(0.5)


class Host:
    def __init__(self, i):
        self.i, self.name, self.array = i, f"host{i}", f"lab{i}"
        self.config, self.run, self.state = f"/etc/holdfast/hf{i}.yaml", f"/run/hf{i}", f"/var/lib/hf{i}"
        self.attach = self.run + "/parent/attach.sock"
        self.log_path = f"/tmp/hf{i}.log"
        self.log_file = open(self.log_path, "ab")
        self.roles, self.parent = {}, None
        self.made = 0	# events that were asked for

    # ---- life

    def start(self):
        site = subprocess.run(unit("holdfast-site@", BIN, "--config", self.config, "--site"), stderr=self.log_file, stdout=self.log_file, check=False)
        self.parent = subprocess.Popen(unit("holdfastd", BIN, "--config", self.config, "--attach", self.attach), stdout=subprocess.DEVNULL,
                                       stderr=self.log_file, env={})
        until(lambda: os.path.exists(self.attach), 30)
        self.roles = {role: Role(self, role) for role in ROLES}
        return site.returncode == 0

    def stop(self):
        """Return: the status of the parent."""
        for role in self.roles.values():
            role.wanted = False
        self.parent.terminate()
        status = self.parent.wait(120)
        for role in self.roles.values():
            role.p.wait(60)
            role.join(30)
        return status

    def kill(self, role):
        before = self.roles[role].p
        os.kill(before.pid, signal.SIGKILL)
        return until(lambda: self.roles[role].p is not before, 30)

    # ---- the wire to the bus: pulled out of the switch, nobody at either end is told

    def cut(self):
        self.wire("nomaster")

    def mend(self):
        self.wire("master", "br0")

    def wire(self, *how):
        subprocess.run(["ip", "-n", "hub", "link", "set", f"port{self.i}", *how], check=True)

    # ---- what the agent says

    def ctl(self, *args, timeout=60):
        return subprocess.run([HF, *args, "--agent", self.run + "/api.sock"], capture_output=True, text=True, check=False, timeout=timeout)

    def number(self):
        return json.loads(self.driver())["array"]

    def driver(self):
        return subprocess.run([HF, "status", "-d", self.array, "--json"], capture_output=True, text=True, check=False).stdout

    def stats(self):
        """Of the process fleet."""
        out = self.ctl("agent", "status", "--json").stdout
        for p in json.loads(out)["processes"] if out else []:
            if p["role"] == "fleet":
                return p.get("stats") or {}
        return {}

    def up(self):
        return self.stats().get("up") is True

    # ---- what its audit log says

    def records(self):
        return records(self.state + "/audit")

    def silence(self):
        """A record in the log, so an event. Counted if it was answered 200."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                s.connect(self.run + "/api.sock")
                s.sendall(b"POST /v1/silence HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                          b"Connection: close\r\n\r\n{}")
                self.made += s.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            pass
