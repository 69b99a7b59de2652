# SPDX-License-Identifier: GPL-2.0
"""Records of an audit log as they are on the disk, in order; whether they are what was written is the verifier's business."""
import glob
import json


def records(folder):
    for path in sorted(glob.glob(folder + "/audit-*.log")):
        with open(path, "rb") as f:
            data = f.read()
        at = 256
        while at + 4 <= len(data):
            size = int.from_bytes(data[at:at + 4], "little") & 0x7FFFFFFF
            if not size or at + 40 + size > len(data):
                break
            yield json.loads(data[at + 8:at + 8 + size])
            at += size + 40
