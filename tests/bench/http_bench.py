#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Requests per second and latency of the HTTP process alone, beside nginx serving a static file in the same
run with the same client. Auth and keeper are played and answer at once (tests/agent/http_stage.c), there
is no sandbox: what is measured is HTTP and the link to another process. JSON on standard output.
  http_bench.py FOLDER [SECONDS [ROUNDS]]"""
import contextlib
import json
import subprocess
import sys
import tempfile
import urllib.request

import web

STAGE = "build/agent/bench/http_stage"
PORT, NGINX_PORT = 18240, 18241
URL = f"http://127.0.0.1:{PORT}"
CONFIG = """
paths: {{ run: {run} }}
api: {{ port: {port}, connections_per_source: 128, requests_per_minute: 10000000 }}
"""


@contextlib.contextmanager
def stage():
    # its sockets: the path of FOLDER may be too long for them
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as run:
        config = run + "/holdfast.yaml"
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(run=run, port=PORT))
        process = subprocess.Popen([STAGE, config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if "ready\n" not in iter(process.stdout.readline, ""):
                raise SystemExit(f"{STAGE} does not start")
            yield
        finally:
            process.communicate("quit\n")
        if process.returncode:
            raise SystemExit(f"{STAGE} ended with {process.returncode}")


def main():
    folder, seconds, rounds = web.arguments()
    web.need("nginx", "wrk")
    with stage():
        with urllib.request.urlopen(URL + "/v1/version") as answer:
            body = answer.read()
        with web.Nginx(folder, NGINX_PORT, body) as nginx:
            found = web.measure([
                web.Target("livez", URL + "/livez", beside="nginx"),
                web.Target("version", URL + "/v1/version", beside="nginx"),
                web.Target("with_token", URL + "/v1/arrays/0", ["Authorization: Bearer good-token-0123456789"],
                           beside="nginx"),
                web.Target("nginx", nginx.url),
            ], folder, seconds, rounds)
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    sys.exit(main())
