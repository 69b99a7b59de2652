# SPDX-License-Identifier: GPL-2.0
"""What the corpora share: the form of a class, the seed, words, the interval. A corpus only makes inputs;
sending and judging is corpus_run.py's.

A corpus has HOSTILE and BENIGN, lists of Class. make(rng) gives the inputs, always the same ones: the
generator is seeded with the name of surface and class, so that a class can be changed without the others."""
import math
import random
from collections import namedtuple

SEED = "holdfast-corpus-1"

# name; attack: what it stands for, one line; make(rng): iterable of inputs
Class = namedtuple("Class", "name attack make")


def inputs(surface, cls):
    """Each one once."""
    made = cls.make(random.Random(f"{SEED}/{surface}/{cls.name}"))
    return list({repr(one): one for one in made}.values())


def wilson95(k, n):
    """Interval of a rate of which @k of @n were seen."""
    if not n:
        return [0.0, 1.0]
    z, p = 1.959963984540054, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))]


# Not a name, a number or a hex id to anybody.
TRAVERSAL = ["..", "../", "..%2f", "%2e%2e/", "..\\", "%5c", "../../../../etc/passwd", "....//", "%c0%ae%c0%ae/",
             "%00", "%252e%252e%252f", "..;/", "file:///etc/shadow", "//etc/passwd", "%u002e%u002e/", "~root", ".git"]
SQL = ["'", "\"", "' OR '1'='1", "1; DROP TABLE users--", "' UNION SELECT hash FROM users--", "admin'--", "1/**/OR/**/1",
       "'; ATTACH DATABASE '/tmp/x' AS x;--", "%27%20OR%201=1"]
SHELL = ["$(id)", "`id`", ";id", "|id", "&& id", "\nid", "$IFS", "${PATH}", "() { :;}; id", "-rf", "--help", "@/etc/passwd"]
LOG = ["\r\nactor=root", "x\n{\"seq\":1}", "\x1b[2J", "%0d%0aSet-Cookie:x=y", "%s%s%n", "\u202eadmin", "\u200badmin",
       "a\0b", "\u2028x", "{{7*7}}", "<script>alert(1)</script>", "\x7f", "\x9b31m"]
WORDS = TRAVERSAL + SQL + SHELL + LOG
