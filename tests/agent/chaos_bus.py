# SPDX-License-Identifier: GPL-2.0
"""The bus of chaos.py: a nats-server, and what lies between it and the process fleet, which counts how often it is bothered."""
import subprocess

from fleet_bus import Middle, Nats, events, newest
from fleet_events import compare, of_fleet
from live import until
from records import records

AT, SERVER = ("127.0.0.1", 4223), ("127.0.0.1", 4222)	# of chaos.sh's configuration, and of the server behind it
HOST = "chaos"
# agent/fleet/fleet.c: five that fail open the breaker, for 5, 10, 20, 30 s; each of its ends is one try more. A new process begins anew.
FAILED_A_MINUTE, FRESH, AFTER_ONE_THAT_WAS_UP = 9, 9, 3
CONFIG = """
listen: "127.0.0.1:4222"
jetstream { store_dir: "/tmp/nats", max_file_store: 1073741824 }
"""


class Bus:
    def __init__(self):
        with open("/tmp/nats.conf", "w", encoding="ascii") as f:
            f.write(CONFIG)
        self.middle, self.p = Middle(AT, SERVER), None
        self.start()

    def start(self):
        self.p = subprocess.Popen(["nats-server", "-c", "/tmp/nats.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return until(self.answers, 60, 0.3)

    @staticmethod
    def answers():
        try:
            Nats(plain=SERVER).close()
            return True
        except OSError:
            return False

    def cut(self):
        """Nothing comes through, nobody is told. Mended, what was under way arrives late."""
        if self.middle.is_cut:
            return False
        self.middle.cut()

        def mend():
            self.middle.mend()
            self.middle.give()
        return mend

    def kill(self):
        if self.p.poll() is not None:
            return False
        self.p.kill()
        self.p.wait()
        return self.start

    def even(self, folder):
        """Until the stream has all that the log has now."""
        last = of_fleet(records(folder))[-1]["seq"]
        return until(lambda: self.answers() and newest(HOST, plain=SERVER).get("seq", 0) >= last, 300, 0.5)

    @staticmethod
    def judged(folder):
        got = events(HOST, plain=SERVER)
        return compare(got, of_fleet(records(folder), got[-1]["seq"] if got else None))

    def opens(self):
        """How many TCP connections of this host are of the bus."""
        return len(self.middle.accepted) + len(self.middle.called)

    def storms(self, starts):
        """Minutes with more tries than the breaker gives. @starts: of the process fleet."""
        out = []
        for t in self.middle.accepted:
            n = sum(t <= u < t + 60 for u in self.middle.accepted)
            most = FAILED_A_MINUTE + FRESH * sum(t - 60 < s < t + 60 for s in starts) + \
                AFTER_ONE_THAT_WAS_UP * sum(t - 60 < u < t + 60 for u in self.middle.reached)
            if n > most:
                out.append(f"{n} in the minute from {t:.0f} s on, where {most} are allowed")
        return out

    def end(self):
        self.p.terminate()
        self.p.wait()
