# SPDX-License-Identifier: GPL-2.0
"""Reads a page of metrics as strictly as the formats allow, and says what is wrong with it: what promtool
does not see (series twice, split families, impossible histograms), too. No other module of ours is used.

    python3 metrics_check.py [--open] FILE
"""
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(\{{(.*)\}})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SUFFIXES = {"counter": ["_total"], "gauge": [""], "info": ["_info"], "histogram": ["_bucket", "_count", "_sum"]}
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)$|NaN$")


class Page:
    """families: name -> {type, help, unit}; samples: (name, ((label, value), ...)) -> number."""

    def __init__(self, text, open_metrics=False):
        self.open = open_metrics
        self.wrong, self.families, self.samples, self.order = [], {}, {}, []
        self.family, self.closed = None, set()
        if not text.endswith("\n"):
            self.say(0, "does not end with a newline")
        if "\r" in text:
            self.say(0, "has a carriage return")
        lines = text.split("\n")[:-1]
        if open_metrics:
            if not lines or lines[-1] != "# EOF":
                self.say(len(lines), "does not end with # EOF")
            lines = lines[:-1]
        for n, line in enumerate(lines, 1):
            self.read(n, line)
        for name, f in self.families.items():
            self.check_family(name, f)
        self.check_histograms()

    def say(self, line, what):
        self.wrong.append(f"line {line}: {what}")

    def read(self, n, line):
        if line.startswith("# "):
            self.read_comment(n, line)
        elif not line:
            self.say(n, "empty")
        else:
            self.read_sample(n, line)

    def read_comment(self, n, line):
        parts = line.split(" ", 3)
        if len(parts) < 4 or parts[1] not in ("HELP", "TYPE", "UNIT") or not re.fullmatch(NAME, parts[2]):
            self.say(n, f"not a comment that means something: {line!r}")
            return
        kind, name, value = parts[1].lower(), parts[2], parts[3]
        if name != self.family:
            if name in self.families:
                self.say(n, f"family {name} is split")
            self.family = name
            self.families.setdefault(name, {"n": 0})
        f = self.families[name]
        if kind in f:
            self.say(n, f"{kind} of {name} twice")
        if f["n"]:
            self.say(n, f"{kind} of {name} behind its samples")
        f[kind] = value

    def family_of(self, name):
        for family, f in ((self.family, self.families.get(self.family)),):
            if not f:
                continue
            suffixes = SUFFIXES.get(f.get("type"), [""])
            if not self.open and f.get("type") != "histogram":
                suffixes = [""]
            if any(name == family + s for s in suffixes):
                return family
        return None

    def read_sample(self, n, line):
        m = SAMPLE.match(line)
        if not m:
            self.say(n, f"not a sample: {line!r}")
            return
        name, labels, value = m[1], self.read_labels(n, m[3] or ""), m[4]
        if not NUMBER.match(value):
            self.say(n, f"not a number: {value!r}")
            return
        family = self.family_of(name)
        if not family:
            self.say(n, f"{name} is not of the family before it ({self.family})")
            return
        self.families[family]["n"] += 1
        key = (name, tuple(sorted(labels.items())))
        if key in self.samples:
            self.say(n, f"series twice: {line!r}")
        self.samples[key] = float(value.replace("Inf", "inf"))

    def read_labels(self, n, text):
        labels, at = {}, 0
        while at < len(text):
            m = LABEL.match(text, at)
            if not m:
                self.say(n, f"labels: {text!r}")
                break
            if m[1] in labels or m[1].startswith("__"):
                self.say(n, f"label {m[1]}")
            labels[m[1]] = re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], m[2])
            at = m.end()
        return labels

    def check_family(self, name, f):
        if not f["n"]:
            self.say(0, f"{name} has no samples")
        if "type" not in f or "help" not in f:
            self.say(0, f"{name} has no type or no help")
        unit = f.get("unit")
        if unit and not name.endswith("_" + unit):
            self.say(0, f"{name} has the unit {unit}, which its name does not")
        for (sample, labels), v in self.samples.items():
            if f.get("type") == "counter" and sample.startswith(name) and v < 0:
                self.say(0, f"{sample}{labels} is negative")

    def check_histograms(self):
        for name in [n for n, f in self.families.items() if f.get("type") == "histogram"]:
            groups = {}
            for (sample, labels), v in self.samples.items():
                if sample == name + "_bucket":
                    rest = tuple(l for l in labels if l[0] != "le")
                    le = dict(labels).get("le", "")
                    groups.setdefault(rest, []).append((float(le.replace("Inf", "inf")), v))
                    if self.open and not re.search(r"[.e]|Inf", le):
                        self.say(0, f"{name}: le={le} is not a float")
            for rest, buckets in groups.items():
                counts = [v for _, v in buckets]
                if buckets != sorted(buckets) or counts != sorted(counts) or buckets[-1][0] != float("inf"):
                    self.say(0, f"{name}{rest}: buckets {buckets}")
                if counts[-1] != self.samples.get((name + "_count", rest)) or (name + "_sum", rest) not in self.samples:
                    self.say(0, f"{name}{rest}: count or sum")

    def get(self, name, **labels):
        """The value of the one series with at least these labels; None: there is none."""
        found = [v for (n, l), v in self.samples.items() if n == name and labels.items() <= dict(l).items()]
        if len(found) > 1:
            raise ValueError(f"{name} {labels}: {len(found)} series")
        return found[0] if found else None


def main():
    args = [a for a in sys.argv[1:] if a != "--open"]
    with open(args[0], encoding="utf-8", newline="") as f:
        page = Page(f.read(), "--open" in sys.argv)
    print("\n".join(page.wrong) or f"{len(page.samples)} series in {len(page.families)} families, nothing wrong")
    sys.exit(bool(page.wrong))


if __name__ == "__main__":
    main()
