# SPDX-License-Identifier: GPL-2.0
"""What a system call costs here: by it a guest is compared with the machine that it runs on."""
import os
import statistics
import time

PIPES, TRIES = 2000, 9


def pipe_us():
    """A byte into a pipe and out of it: two system calls, the median of some tries. What Python takes itself is in it."""
    r, w = os.pipe()
    tries = []
    for _ in range(TRIES):
        begin = time.perf_counter()
        for _ in range(PIPES):
            os.write(w, b"x")
            os.read(r, 1)
        tries.append((time.perf_counter() - begin) * 1e6 / PIPES)
    os.close(r)
    os.close(w)
    return statistics.median(tries)
