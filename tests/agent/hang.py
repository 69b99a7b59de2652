#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a process hang for good, as a deadlock would: its main thread is held by ptrace(2), from which only
SIGKILL frees it. (SIGSTOP does not do: when a parent ends, the kernel wakes the stopped ones of its group.)

  hang.py PID     prints a line once it hangs; holds it until its own end"""
import ctypes
import os
import signal
import sys

ATTACH = 16
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def hang(pid):
    """The caller holds it: a later wait for any child of his may return it."""
    if libc.ptrace(ATTACH, pid, None, None):
        raise OSError(ctypes.get_errno(), f"ptrace of {pid}")
    os.waitpid(pid, 0x40000000)		# __WALL


if __name__ == "__main__":
    hang(int(sys.argv[1]))
    print("hangs", flush=True)
    signal.pause()
