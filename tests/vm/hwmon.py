#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Do lm-sensors and the Prometheus node exporter show an array, as they are installed?

Runs in a guest, as root, with simulated arrays of its own; prints TAP.
"""
import json
import os
import subprocess
import sys
import time
import traceback
import urllib.request

SIM = "/sys/kernel/config/holdfast_sim"
URL = "http://127.0.0.1:9105/metrics"


def run(*cmd):
    return subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=True).stdout


def wait_for(what, seconds=10):
    """The first true answer of @what()."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


class Hwmon:
    def __init__(self):
        if not os.path.isdir("/sys/class/holdfast"):
            for name in ("holdfast", "holdfast_sim"):
                run("insmod", f"{os.environ['HOLDFAST_MODDIR']}/{name}.ko")
        if not os.path.isdir(SIM):
            run("mount", "-t", "configfs", "none", "/sys/kernel/config")
        self.dir = f"{SIM}/hwmon-1"
        os.mkdir(self.dir)
        # Heat at once, and no reading of it is a jump.
        for name in ("plant_tau_board_ms", "plant_tau_sink_ms"):
            self.write(name, "100")
        self.write("temp_max_step_mc", "0")
        self.write("live", "1")
        time.sleep(0.3)

    def write(self, name, value):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(value)

    @staticmethod
    def sensors():
        """{label: {attribute: value}} of the one array."""
        chips = json.loads(run("sensors", "-j"))
        (chip,) = [c for c in chips if c.startswith("holdfast-")]
        return {k: v for k, v in chips[chip].items() if isinstance(v, dict)}

    @staticmethod
    def metrics():
        with urllib.request.urlopen(URL) as page:
            lines = [line.decode() for line in page if b"holdfast" in line]
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}

    def test_sensors_shows_every_sensor(self):
        s = self.sensors()
        assert set(s) == {"board", "heatsink", "supply", "current", "fan", "modelled power"}, s
        assert 20 < s["board"]["temp1_input"] < 30, s["board"]
        assert 20 < s["supply"]["in0_input"] < 28, s["supply"]
        assert s["fan"]["fan1_input"] > 1000, s["fan"]

    def test_sensors_shows_limits_and_quiet_alarms(self):
        s = self.sensors()
        board = s["board"]
        assert board["temp1_max"] < board["temp1_crit"] < board["temp1_emergency"], board
        alarms = {k: v for part in s.values() for k, v in part.items() if k.endswith("alarm")}
        assert len(alarms) == 10 and not any(alarms.values()), alarms
        assert s["supply"]["in0_min"] < s["supply"]["in0_max"]
        assert "fan1_min" in s["fan"] and "curr1_max" in s["current"]
        assert "power1_average" in s["modelled power"] or "power1_input" in s["modelled power"]

    def test_node_exporter_shows_them_too(self):
        exporter = subprocess.Popen(
            ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.hwmon",
             "--web.listen-address=127.0.0.1:9105"], stderr=subprocess.DEVNULL)
        try:
            def up():
                try:
                    return self.metrics()
                except OSError:
                    return None
            m = wait_for(up)
            temps = [v for k, v in m.items() if k.startswith("node_hwmon_temp_celsius{")]
            assert len(temps) == 2 and all(20 < t < 30 for t in temps), temps
            for name in ("temp_crit_celsius", "temp_crit_alarm_celsius", "in_volts", "curr_amps",
                         "fan_rpm", "power_watt", "power_max_watt", "temp_fault"):
                assert any(k.startswith(f"node_hwmon_{name}{{") for k in m), name
            self.exporter_shows_faults()
        finally:
            exporter.terminate()
            exporter.wait()

    def exporter_shows_faults(self):
        """An alarm goes up, and a sensor that is lost, nonsense or stuck has no number."""
        def value(name):
            # the exporter scales an alarm like its value: a thousandth of a volt is an alarm
            found = [v for k, v in self.metrics().items() if k.startswith(f"node_hwmon_{name}{{")]
            return found[0] if found else None
        assert value("in_min_alarm_volts") == 0
        self.write("supply_sag_mv", "4000")
        wait_for(lambda: value("in_min_alarm_volts"))
        self.write("supply_sag_mv", "0")
        wait_for(lambda: value("in_min_alarm_volts") == 0)
        for sensor, fault, name in (("fan", "lost", "fan_rpm"), ("supply", "nan", "in_volts"),
                                    ("current", "stuck", "curr_amps")):
            assert value(name) is not None, name
            self.write(f"fault_{sensor}", fault)
            wait_for(lambda name=name: value(name) is None)
            self.write(f"fault_{sensor}", "none")
            wait_for(lambda name=name: value(name) is not None)

    def test_alarm_of_a_temperature(self):
        before = self.sensors()["board"]
        self.write("ambient_mc", str(int(before["temp1_max"] * 1000) + 2000))
        hot = wait_for(lambda: self.sensors()["board"].get("temp1_max_alarm") and self.sensors())
        assert hot["board"]["temp1_crit_alarm"] == 0, hot
        self.write("ambient_mc", str(int(before["temp1_emergency"] * 1000) + 2000))
        hot = wait_for(lambda: self.sensors()["board"].get("temp1_emergency_alarm") and
                       self.sensors())
        assert hot["board"]["temp1_crit_alarm"] == 1 and hot["board"]["temp1_max_alarm"] == 1
        self.write("ambient_mc", "25000")
        wait_for(lambda: self.sensors()["board"].get("temp1_max_alarm") == 0)

    def test_alarm_of_a_fan(self):
        self.write("fan_failed", "1")
        wait_for(lambda: self.sensors()["fan"].get("fan1_min_alarm") == 1)
        self.write("fan_failed", "0")

    def test_lost_sensor_has_no_value(self):
        self.write("fault_supply", "lost")
        lost = wait_for(lambda: "in0_input" not in self.sensors().get("supply", {}) and
                        self.sensors())
        assert "in0_min_alarm" not in lost.get("supply", {}), lost
        self.write("fault_temp1", "lost")
        wait_for(lambda: self.sensors()["heatsink"]["temp2_fault"] == 1)
        assert "temp2_input" not in self.sensors()["heatsink"]

    def test_nothing_can_be_written(self):
        for top, _, names in os.walk("/sys/class/holdfast/holdfast0/"):
            for name in names:
                mode = os.lstat(os.path.join(top, name)).st_mode & 0o222
                ours = not any(part in top + "/" for part in ("/power/",)) and name != "uevent"
                assert not (ours and mode), os.path.join(top, name)


def main():
    suite = Hwmon()
    tests = [n for n in vars(Hwmon) if n.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, name in enumerate(tests, 1):
        title = name[5:].replace("_", " ")
        try:
            getattr(suite, name)()
            print(f"ok {number} - {title}", flush=True)
        except Exception:
            failed += 1
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} - {title}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
