# SPDX-License-Identifier: GPL-2.0
"""The fleet over MQTT: a mosquitto beside the server, that fetches from it as docs/fleet.md says."""
import json
import os
import subprocess
import threading

from fleet_bus import ADDRESS
from fleet_events import busy, wanted
from fleet_stops import stop_and
from ledger import Ledger
from live import ok, until

FOLDER = "/tmp/mosquitto"
PASSWORDS = {"wall": "wa11", "warden": "w"}
CONFIG = """
listener 1883 10.77.0.1
allow_anonymous false
password_file /tmp/mosquitto/passwords
acl_file /tmp/mosquitto/acl
connection fleet
address 127.0.0.1:1884
bridge_protocol_version mqttv311
remote_username mqtt
remote_password m
try_private false
notifications false
topic holdfast/lab/+/event in 0
topic holdfast/lab/+/telemetry in 0
topic holdfast/lab/+/stopped in 0
topic holdfast/lab/stop out 1
topic holdfast/lab/+/stop out 1
"""
ACL = """
user wall
topic read holdfast/#
user warden
topic read holdfast/#
topic write holdfast/lab/stop
topic write holdfast/lab/+/stop
"""


class Broker:
    """mosquitto in the network namespace "hub"."""

    def __init__(self):
        os.makedirs(FOLDER, exist_ok=True)
        for name, text in (("conf", CONFIG), ("acl", ACL), ("passwords", "")):
            with open(f"{FOLDER}/{name}", "w", encoding="ascii") as f:
                f.write(text)
        for user, password in PASSWORDS.items():
            subprocess.run(["mosquitto_passwd", "-b", FOLDER + "/passwords", user, password], check=True)
        os.chmod(FOLDER + "/passwords", 0o644)	# mosquitto is not root for long
        with open("/tmp/mosquitto.log", "wb") as log:
            self.p = subprocess.Popen(["ip", "netns", "exec", "hub", "mosquitto", "-c", FOLDER + "/conf"], stdout=log, stderr=log)

    def stop(self):
        self.p.terminate()
        self.p.wait(30)


class Wall(threading.Thread):
    """Who looks: mosquitto_sub, as the user who may only read."""

    def __init__(self):
        super().__init__(daemon=True)
        self.heard = []		# (topic, what it said)
        self.p = subprocess.Popen(["mosquitto_sub", "-h", ADDRESS, "-u", "wall", "-P", PASSWORDS["wall"], "-t", "holdfast/#", "-F", "%t %p"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.start()

    def run(self):
        for text in self.p.stdout:
            topic, _, said = text.partition(b" ")
            self.heard.append((topic.decode(), said))

    def of(self, name, what):
        return [json.loads(said) for topic, said in list(self.heard) if topic == f"holdfast/lab/{name}/{what}"]

    def stop(self):
        self.p.terminate()
        self.p.wait(30)


def say(user, topic, text="", password=None):
    return subprocess.run(["mosquitto_pub", "-h", ADDRESS, "-u", user, "-P", password or PASSWORDS[user], "-q", "1", "-t", topic, "-m", text],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode


def mqtt(hosts, server):
    del server
    broker = Broker()
    ledgers = [Ledger(h.array) for h in hosts]
    ok(until(lambda: say("wall", "holdfast/nothing") == 0, 30), "mosquitto is there", open("/tmp/mosquitto.log").read()[-600:])
    ok(say("wall", "holdfast/nothing", password="other") != 0, "and knows its users")
    wall = Wall()
    ok(until(lambda: all(wall.of(h.name, "telemetry") for h in hosts), 60), "MQTT: telemetry of all hosts", wall.heard[-3:])
    begun = [wanted(h)[-1]["seq"] for h in hosts]
    busy(hosts, 5)
    for h, after in zip(hosts, begun):
        want = [r["seq"] for r in wanted(h) if r["seq"] > after]
        until(lambda: [e["seq"] for e in wall.of(h.name, "event")][-1:] >= want[-1:], 30)
        got = [e["seq"] for e in wall.of(h.name, "event") if after < e["seq"] <= want[-1]]
        ok(got == want and len(want) > 5, f"MQTT: {h.name}: each of {len(want)} events once, in order", want, got)
    stop_and(hosts, ledgers, "MQTT: a stop of one who may only read", lambda b: say("wall", "holdfast/lab/stop"), [False] * 3)
    stop_and(hosts, ledgers, "MQTT: stop for one host", lambda b: say("warden", "holdfast/lab/host1/stop"), [False, True, False])
    ident = "fedcba9876543210fedcba9876543210"
    stop_and(hosts, ledgers, "MQTT: a latched stop", lambda b: say("warden", "holdfast/lab/stop", json.dumps({"latch": True, "id": ident})), [True] * 3)
    ok(until(lambda: all(ident in [x["id"] for x in wall.of(h.name, "stopped")] for h in hosts), 20), "MQTT: and who has confirmed",
       [wall.of(h.name, "stopped")[-1:] for h in hosts])
    wall.stop()
    broker.stop()
