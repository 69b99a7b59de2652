#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The command lines of the corpus with the build that has sanitizers, which cannot run in the guest: as nobody, on the
host, without agent and array. Only crashes and complaints are judged here. Prints TAP."""
import concurrent.futures
import os
import shutil
import subprocess

from corpus import cli, kit

HF = os.path.abspath(os.environ.get("HF", "build/agent/san/holdfastctl"))
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def one(argv, stdin, folder):
    argv = [a.replace("@dir@", folder) for a in argv]
    try:
        done = subprocess.run([*NOBODY, HF, *argv], input=stdin, capture_output=True, check=False, timeout=60)
    except OSError:     # the kernel does not take such an argument
        return ""
    except subprocess.TimeoutExpired:
        return "no end"
    text = done.stderr.decode(errors="replace")
    bad = done.returncode < 0 or "Sanitizer" in text or "runtime error" in text
    return f"{done.returncode}: {text[-600:]}" if bad else ""


def main():
    import corpus_send      # for the folder of files
    folder = corpus_send.cli_folder()
    classes = cli.HOSTILE + cli.BENIGN
    for number, cls in enumerate(classes, 1):
        made = kit.inputs("cli", cls)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            told = list(pool.map(lambda m: one(m[1], m[2], folder), made))
        bad = [(m, t) for m, t in zip(made, told) if t]
        print("not ok" if bad or not made else "ok", number, "-", f"cli with sanitizers: {cls.name}: {len(made)} runs", flush=True)
        for m, t in bad[:5]:
            print("#  ", m, t.replace("\n", "\n#   "))
    shutil.rmtree(folder)
    print(f"1..{len(classes)}")


if __name__ == "__main__":
    main()
