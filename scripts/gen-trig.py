#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints the sine table of kmod/rules/trig.c. Run by hand, paste the output."""
from decimal import Decimal, getcontext

getcontext().prec = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937510")


def sine(x):
    term = total = x
    n = 1
    while abs(term) > Decimal("1e-40"):
        term *= -x * x / ((n + 1) * (n + 2))
        total += term
        n += 2
    return total


rows = [int((sine(2 * PI * i / 256) * 2**30).to_integral_value()) for i in range(65)]
print("static const s32 quarter[65] = {")
for i in range(0, 65, 6):
    print("\t" + " ".join(f"{v}," for v in rows[i:i + 6]))
print("};")
