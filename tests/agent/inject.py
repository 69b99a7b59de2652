# SPDX-License-Identifier: GPL-2.0
"""A system call in somebody else's process, by ptrace(2): what the kernel answers to it there. x86-64 only."""
import ctypes
import os

GETREGS, SETREGS, ATTACH, SINGLESTEP, DETACH = 12, 13, 16, 9, 17
WALL = 0x40000000
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
ptrace.restype = ctypes.c_long


class Regs(ctypes.Structure):
    _fields_ = [(n, ctypes.c_ulong) for n in
                "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
                "fs_base gs_base ds es fs gs".split()]


def do(request, pid, data=None):
    if ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def syscall(pid, number, *args):
    """@pid waits in a system call. Return: what the call gives there: -errno on failure."""
    do(ATTACH, pid)
    try:
        os.waitpid(pid, WALL)
        regs, saved = Regs(), Regs()
        do(GETREGS, pid, ctypes.addressof(saved))
        do(GETREGS, pid, ctypes.addressof(regs))
        with open(f"/proc/{pid}/mem", "rb") as mem:
            mem.seek(regs.rip - 2)
            assert mem.read(2) == b"\x0f\x05", "it does not wait in a system call"
        regs.rip -= 2
        regs.rax, regs.orig_rax = number, ctypes.c_ulong(-1).value
        regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9 = (list(args) + [0] * 6)[:6]
        do(SETREGS, pid, ctypes.addressof(regs))
        do(SINGLESTEP, pid)
        os.waitpid(pid, WALL)
        do(GETREGS, pid, ctypes.addressof(regs))
        do(SETREGS, pid, ctypes.addressof(saved))
        return ctypes.c_long(regs.rax).value
    finally:
        do(DETACH, pid)
