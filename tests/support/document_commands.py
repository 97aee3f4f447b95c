"""`curl` and `audio-server` as the commands of the documents call them: with the address of a test's server.

usage: document_commands.py curl|audio-server ARGUMENT...

- curl: http://127.0.0.1:8080 is $DOCUMENT_SERVER, and `job_...` the last background job, once it has ended. An answer
  that is an error ends it with a status.
- audio-server: one that serves does so on free ports of 127.0.0.1, until it is "Ready", and must then end well. The
  other verbs are the real ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

LIMIT = 300.0
"""Seconds for one command."""
URL = "http://127.0.0.1:8080"
LAST_JOB = Path("last_job")


def curl(arguments: list[str]) -> int:
    server = os.environ["DOCUMENT_SERVER"]
    words = [word.replace(URL, server) for word in arguments]
    if any("job_..." in word for word in words):
        job = _ended_job(server)
        words = [word.replace("job_...", job) for word in words]
    fixed = ["--fail-with-body", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(LIMIT)]
    done = subprocess.run([os.environ["DOCUMENT_CURL"], *fixed, *words], stdout=subprocess.PIPE)
    sys.stdout.buffer.write(done.stdout + b"\n")
    if job_id := re.search(rb'"id":"(job_\w+)"', done.stdout):
        LAST_JOB.write_bytes(job_id[1])
    return done.returncode


def _ended_job(server: str) -> str:
    job, end = LAST_JOB.read_text(), time.monotonic() + LIMIT
    while time.monotonic() < end:
        with urlopen(f"{server}/v1/jobs/{job}") as answer:
            if json.load(answer)["state"] not in ("queued", "running"):
                break
        time.sleep(0.05)
    return job


def serves(arguments: list[str]) -> bool:
    return not arguments or arguments[0] == "serve" or arguments[0].startswith("-")


def audio_server(arguments: list[str]) -> int:
    command = os.environ["DOCUMENT_AUDIO_SERVER"]
    if not serves(arguments):
        os.execv(command, [command, *arguments])
    words = [re.sub(r":\d+$", ":0", word.replace("0.0.0.0", "127.0.0.1")) for word in arguments]
    if words[-1:] == ["--wyoming"]:
        words.append("0")  # else it would be 10300
    return _serve([command, *words, "--port", "0"])


def _serve(command: list[str]) -> int:
    """The status of a server that is stopped when it is ready; 1 where it never was."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = any(line == "Ready\n" for line in iter(server.stdout.readline, ""))
        server.terminate()
        server.stdout.read()
        status = server.wait(LIMIT)
    if not ready:
        sys.stderr.write(f"{' '.join(command)}: not ready\n")
    return status if ready else 1


if __name__ == "__main__":
    sys.exit({"curl": curl, "audio-server": audio_server}[sys.argv[1]](sys.argv[2:]))
