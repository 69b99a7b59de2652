# SPDX-License-Identifier: GPL-2.0
"""What the driver says of its keeper (the status page), noted by a process of its own beside the agent
under test; and the judgement of emission by it. Times are CLOCK_MONOTONIC, ns."""
import collections
import mmap
import os
import signal
import struct
import time

SILENT, ARMED, EMITTING, TRIPPED = range(4)
CAUSE_KEEPER_DEADLINE = 2
PERIOD_S = 0.02
STALL_NS = 100_000_000	# so long without its turn: not the agent, the whole guest did not run
AFTERMATH_NS = 5_000_000_000	# so long after that: who was held up misses his deadlines
NOISE_NS = 150_000_000	# of a guest on a machine that does other things

Status = collections.namedtuple("Status", "seq size state sealed time_ns instance epoch event_seq envelope_gen tick "
                                "tick_late_max_ns beat_ns")
PAGE, TRIPS = struct.Struct("<IIIIQQQQQQQQ"), struct.Struct("<II")
TRIPS_AT = 164
Sample = collections.namedtuple("Sample", "before t epoch beat trips cause")
SAMPLE = struct.Struct("<QQQQII")


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class StatusPage:
    def __init__(self):
        fd = os.open("/dev/holdfast0", os.O_RDONLY)
        self.page = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        os.close(fd)

    def raw(self):
        """A page that was not being written meanwhile."""
        while True:
            data = self.page[:TRIPS_AT + TRIPS.size]
            seq = data[:4]
            if not seq[0] & 1 and self.page[:4] == seq:
                return data

    def read(self):
        return Status(*PAGE.unpack_from(self.raw()))

    def sample(self, before):
        data = self.raw()
        status = Status(*PAGE.unpack_from(data))
        return Sample(before, now_ns(), status.epoch, status.beat_ns, *TRIPS.unpack_from(data, TRIPS_AT))


class Witness:
    """Starts the process that notes. Above ordinary processes, so that load does not blind it; below the
    keeper, so that it does not disturb it."""

    def __init__(self, path):
        self.path = path
        self.pid = os.fork()
        if self.pid:
            return
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            self.note(StatusPage())
        finally:
            os._exit(1)

    def note(self, page):
        last = page.sample(now_ns())
        with open(self.path, "wb", buffering=0) as f:
            while True:
                new = page.sample(last.t)
                if new[2:] != last[2:] or new.t - new.before > STALL_NS:
                    f.write(SAMPLE.pack(*new))
                last = new
                time.sleep(PERIOD_S)

    def stop(self):
        """Return: all samples; None if it had ended before."""
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        if not os.WIFSIGNALED(status):
            return None
        data = open(self.path, "rb").read()
        whole = len(data) // SAMPLE.size * SAMPLE.size
        return [Sample(*s) for s in SAMPLE.iter_unpack(data[:whole])]


# ------------------------------------------------- intervals: sorted lists of (begin, end)

def merged(spans):
    out = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        elif end > begin:
            out.append((begin, end))
    return out


def without(spans, cover):
    """The parts of disjoint @spans that are not in @cover."""
    out, cover, at = [], merged(cover), 0
    for begin, end in spans:
        while at < len(cover) and cover[at][1] <= begin:
            at += 1
        for c_begin, c_end in cover[at:]:
            if c_begin >= end:
                break
            if c_begin > begin:
                out.append((begin, c_begin))
            begin = max(begin, c_end)
        if begin < end:
            out.append((begin, end))
    return out


def within(spans, begin, end):
    return [(max(a, begin), min(b, end)) for a, b in spans if a < end and b > begin]


def length(spans):
    return sum(end - begin for begin, end in spans)


class Judge:
    """@samples of the witness, @emission of the ledger, @kills: (before, after, role), @hangs: those of them, by @before, that only
    stopped the keeper."""

    def __init__(self, samples, emission, kills, deadline_ns, hangs=()):
        self.samples, self.emission, self.kills, self.hangs = samples, emission, kills, hangs
        self.patience_ns = deadline_ns + NOISE_NS
        self.stalls = [(s.before, s.t + NOISE_NS) for s in samples if s.t - s.before > STALL_NS]

    def unsupervised(self):
        """Emission, whoever was killed when, without a beat that counted within the deadline before."""
        beats = sorted({s.beat for s in self.samples if s.beat})
        # claiming counts as a beat; when it was is known as exactly as the witness looks
        claims = [(s.before, s.t) for last, s in zip(self.samples, self.samples[1:]) if s.epoch != last.epoch]
        spans = without(self.emission, [(b, b + self.patience_ns) for b in beats] + claims + self.stalls)
        return [f"{length([s]) / 1e6:.1f} ms of emission without a beat, {self.after(s[0])}" for s in spans]

    def after(self, t):
        before = [k for k in self.kills if k[0] <= t]
        return f"{(t - before[-1][1]) / 1e6:.0f} ms after a kill of {before[-1][2]}" if before else "before any kill"

    def outlived(self):
        """What was emitted when its keeper died must be over within the deadline, whatever comes next."""
        wrong = []
        for begin, end in self.emission:
            for _, t, role in self.kills:
                if role not in ("keeper", "parent") or not begin < t < end:
                    continue
                late = without([(t + self.patience_ns, end)], self.stalls) if end > t + self.patience_ns else []
                if late:
                    wrong.append(f"{role} killed: {length(late) / 1e6:.1f} ms of emission after the deadline")
        return wrong

    def lost_keepers(self):
        """A keeper lets go of the array only if it or the parent was killed or hangs, and misses its deadline only if it hangs.
        Return: (violations, how often it happened because the guest stood still)."""
        lost, claimed = [], self.samples[0].before
        for last, s in zip(self.samples, self.samples[1:]):
            killed = any(claimed <= k[0] <= s.t for k in self.kills if k[2] in ("keeper", "parent"))
            if s.epoch != last.epoch and last.beat and not killed:
                lost.append((s.t, f"epoch {last.epoch} ended though nobody killed its keeper, {self.after(s.t)}"))
            hung = any(claimed <= h <= s.t for h in self.hangs)
            if s.trips != last.trips and s.cause == CAUSE_KEEPER_DEADLINE and not hung:
                lost.append((s.t, f"a trip: the keeper missed its deadline, {self.after(s.t)}"))
            if s.epoch != last.epoch and s.beat:
                claimed = s.before
        wrong = [text for t, text in lost if not within(self.stalls, t - AFTERMATH_NS, t)]
        return wrong, len(lost) - len(wrong)

    def without_audit(self, record_times, grace_ns):
        """Return: (violations, how many losses of audit lasted longer than the grace time with the array emitting
        when they began). A loss begins with a kill and ends with the next record that was written."""
        wrong, judged, back = [], 0, 0
        times = sorted(record_times)
        at = 0
        for _, t, role in self.kills:
            if role != "audit" or t < back:
                continue
            while at < len(times) and times[at] <= t:
                at += 1
            back = times[at] if at < len(times) else 1 << 63
            begin = t + grace_ns + NOISE_NS
            if back <= begin:
                continue
            judged += bool(within(self.emission, t, t + 1))
            late = without(within(self.emission, begin, back), self.stalls)
            if late:
                wrong.append(f"audit killed: {length(late) / 1e6:.1f} ms of emission after the grace time")
        return wrong, judged
