#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What judging a frame costs natively, beside the same check in NumPy, in double-precision C, and a copy of
the frame. The C is rules_cost (a process that answers), the NumPy is here; both get the same frames, gains
and limits, and agree on the pressures before anything is timed. JSON on standard output, ns of a frame.
  rules_bench.py FOLDER [SECONDS [ROUNDS]]"""
import json
import os
import statistics
import subprocess
import sys
import time

# One thread, as the driver's: such a product is too small for more, and they would only wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np      # noqa: E402

from rounds import arguments, ratio, where     # noqa: E402

SECONDS = 0.25          # of each way, size and round
ROUNDS = 7
FRAMES = 32
SIZES = [(channels, points) for channels in (64, 256, 1024) for points in (0, 16, 64)]
REFERENCE = "256ch_16fp"
PERIOD_NS = 100_000     # 10 kHz
SAME = 1_000_000        # frames that both ways of sums have to judge alike
TURN = np.complex64(2j * np.pi / 65536)
OURS = ("quick_scalar", "quick_simd", "exact_scalar", "exact_simd", "changed_1", "changed_8", "changed_32")
FENCE = ("fence_quick_scalar", "fence_quick_simd", "fence_exact_scalar", "fence_exact_simd")     # what NumPy does, and no more
THEIRS = ("numpy", "numpy_tuned", "numpy_sum", "numpy_batch", "double_reference", "copy", "avx2_limit")


class Numpy:
    """The fence check of one size in complex64: what can be had before a frame comes is there, and nothing is allocated."""

    def __init__(self, path, channels, points):
        with open(path, "rb") as f:
            self.phase = np.fromfile(f, np.uint16, FRAMES * channels).reshape(FRAMES, channels)
            self.amp = np.fromfile(f, np.uint16, FRAMES * channels).reshape(FRAMES, channels)
            gain = np.fromfile(f, np.float64, points * channels).reshape(points, channels)
            theta = np.fromfile(f, np.float64, points * channels).reshape(points, channels)
            limit = np.fromfile(f, np.float64, points)
            self.truth = np.fromfile(f, np.float64, FRAMES * points).reshape(FRAMES, points)
        # full drive is 65535, of which the amplitudes here are a number
        self.g = (gain * np.exp(1j * theta) / 65535).astype(np.complex64)
        self.gabs = (gain / 65535).astype(np.float32)
        self.limit = limit.astype(np.float32)
        self.limit_column = self.limit[:, None]
        self.sums = np.full(points, np.inf, np.float32)
        self.table = np.exp(2j * np.pi * np.arange(256) / 256).astype(np.complex64)
        self.index = np.empty(channels, np.uint16)
        self.x = np.empty(channels, np.complex64)
        self.amp32 = np.empty(channels, np.float32)
        self.p = np.empty(points, np.complex64)
        self.mag = np.empty(points, np.float32)
        self.frame = 0
        for i in range(FRAMES):
            self.frame = i
            if not self.numpy():
                sys.exit(f"{path}: NumPy refuses frame {i}")
            self.frame = i
            if not self.numpy_tuned():
                sys.exit(f"{path}: NumPy refuses frame {i}")
            if points and np.max(np.abs(self.mag - self.truth[i]) / limit) > 1e-3:
                sys.exit(f"{path}: NumPy and the double-precision reference do not agree on frame {i}")

    def next(self):
        i = self.frame % FRAMES
        self.frame += 1
        return i

    def numpy(self):
        """As one writes it down: phasors, product, magnitude, compare."""
        i = self.next()
        x = self.amp[i].astype(np.float32) * np.exp(TURN * self.phase[i].astype(np.float32))
        return bool((np.abs(self.g @ x) <= self.limit).all())

    def numpy_tuned(self):
        """The same with a table for the phasors, and nothing allocated."""
        i = self.next()
        np.right_shift(self.phase[i], 8, out=self.index)
        np.take(self.table, self.index, out=self.x, mode="clip")
        np.multiply(self.x, self.amp[i], out=self.x)
        np.dot(self.g, self.x, out=self.p)
        np.abs(self.p, out=self.mag)
        return (self.mag <= self.limit).all()

    def numpy_sum(self):
        """The quick check: the sum of amplitudes times gains."""
        np.copyto(self.amp32, self.amp[self.next()])
        np.dot(self.gabs, self.amp32, out=self.mag)
        return (self.mag <= self.sums).all()

    def numpy_batch(self):
        """All frames in one product: what NumPy is best at, and what no frame that waits can have."""
        x = self.table[self.phase >> 8] * self.amp
        return (np.abs(self.g @ x.T) <= self.limit_column).all()


def time_ns(check, seconds):
    """Median of chunks of about a millisecond."""
    n, chunks, until = 1, [], time.perf_counter() + seconds
    while not chunks or time.perf_counter() < until:
        begin = time.perf_counter_ns()
        for _ in range(n):
            check()
        took = time.perf_counter_ns() - begin
        if took < 500_000:
            n *= 2
            continue
        chunks.append(took / n)
    return statistics.median(chunks)


class Cost:
    """The C side."""

    def __init__(self, folder):
        self.process = subprocess.Popen(["build/tests/bench/rules_cost", folder, *(f"{c}x{p}" for c, p in SIZES)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ways = self.answer()[1:]

    def answer(self):
        words = self.process.stdout.readline().split()
        if not words:
            sys.exit(f"rules_cost ended: status {self.process.wait()}")
        return words

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return float(self.answer()[0])


def main():
    folder, factor, rounds, _ = arguments(ROUNDS)
    place = where()
    seconds = SECONDS * factor
    cost = Cost(folder)
    numpy = {size: Numpy(f"{folder}/{size[0]}x{size[1]}.bin", *size) for size in SIZES}
    ns, ghz = {}, []        # (size, way): a figure of each round
    for _ in range(rounds):
        ghz.append(cost.ask("clock"))
        for size in SIZES:
            for way in cost.ways:
                # without points there is nothing that these would look at
                if not size[1] and (way in ("double_reference", "avx2_limit") or way in FENCE):
                    continue
                ns.setdefault((size, way), []).append(cost.ask(f"{size[0]}x{size[1]} {way} {seconds}"))
            if not size[1]:
                continue
            for way in ("numpy", "numpy_tuned", "numpy_sum"):
                ns.setdefault((size, way), []).append(time_ns(getattr(numpy[size], way), seconds))
            ns.setdefault((size, "numpy_batch"), []).append(time_ns(numpy[size].numpy_batch, seconds) / FRAMES)
    same = int(SAME * min(factor, 1))
    found = int(cost.ask(f"same {REFERENCE.replace('ch_', 'x').removesuffix('fp')} {same}"))
    if "exact_simd" in cost.ways and found < same:
        sys.exit(f"rules: frame {found} of {same} is not judged alike by both ways of sums")
    json.dump({"where": place, **result(ns, ghz, cost.ways, rounds), "simd_scalar_identical_frames": found}, sys.stdout)


def name_of(size):
    return f"{size[0]}ch_{size[1]}fp"


def result(ns, ghz, ways, rounds):
    def speeds(ours, theirs):
        return {name_of(s): ratio(ns[s, theirs], ns[s, ours]) for s in SIZES if (s, ours) in ns and (s, theirs) in ns}

    ours, fence = ([way for way in those if way in ways] for those in (OURS, FENCE))
    # like with like: the check of the fence alone; "admit" is a whole admission beside the same
    by_size = {}
    for name, way in (("quick_scalar", "fence_quick_scalar"), ("quick_simd", "fence_quick_simd"),
                      ("exact_scalar", "fence_exact_scalar"), ("exact_simd", "fence_exact_simd")):
        if way in ways:
            for other in ("numpy", "numpy_tuned", "double_reference", "copy"):
                by_size[f"{name}_vs_{other}"] = speeds(way, other)
    for way in ours:
        by_size[f"admit_{way}_vs_numpy"] = speeds(way, "numpy")
        by_size[f"admit_{way}_vs_copy"] = speeds(way, "copy")
    # what the driver takes on this processor
    simd = "exact_simd" in ways
    quick, exact = ("quick_simd", "exact_simd") if simd else ("quick_scalar", "exact_scalar")
    for other in ("numpy", "numpy_tuned", "numpy_sum"):
        by_size[f"quick_vs_{other}"] = speeds(f"fence_{quick}", other)
    by_size["exact_vs_numpy_batch"] = speeds(f"fence_{exact}", "numpy_batch")
    for way in ("changed_1", "changed_8", "changed_32"):
        by_size[f"{way}_vs_exact"] = speeds(way, exact)
    if simd:
        by_size["quick_simd_vs_quick_scalar"] = speeds("quick_simd", "quick_scalar")
        by_size["exact_simd_vs_exact_scalar"] = speeds("exact_simd", "exact_scalar")
        by_size["exact_simd_vs_avx2_limit"] = speeds("fence_exact_simd", "avx2_limit")
    reference = next(s for s in SIZES if name_of(s) == REFERENCE)

    def pct(*ways):
        return 100 * statistics.median(map(sum, zip(*(ns[reference, way] for way in ways)))) / PERIOD_NS

    return {
        "rounds": rounds, "numpy": np.__version__, "reference": REFERENCE, "clock_ghz": statistics.median(ghz),
        "frame_ns": {name_of(s): {way: statistics.median(ns[s, way]) for way in (*ours, "books", *fence, *THEIRS) if (s, way) in ns}
                     for s in SIZES},
        "admit_pct_of_period_10khz_256ch_16fp":
            {"quick": pct(quick), "exact": pct(exact), **{way: pct(way) for way in ours}},
        # the verdict and the books
        "govern_pct_of_period_10khz_256ch_16fp": {"quick": pct(quick, "books"), "exact": pct(exact, "books")},
        # the ratios' keys: of the reference size; of all sizes in by_size
        **{name: sizes[REFERENCE] for name, sizes in by_size.items()},
        "by_size": by_size,
    }


if __name__ == "__main__":
    main()
