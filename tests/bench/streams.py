"""Benchmark of many listeners at once: 1, 4 and 8 streams of /v1/audio/speech, beside `mlx_audio.server`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import threading
import time

from report import Row, show
from server import OURS, PEER, TWO, VOICE, Contender, Server, peer, running, together

STREAMS = (1, 4, 8)
RATE = 24000
SPEECH = "/v1/audio/speech"
AGAIN = 3
"""Times each number of streams is run, but the last, which is long."""


def ours() -> Contender:
    return dataclasses.replace(
        OURS,
        speech=SPEECH,
        body=lambda text: {"model": "tts-1", "input": text, "voice": VOICE, "response_format": "wav"},
    )


def listen(server: Server, count: int) -> tuple[list[float], float, float]:
    """`count` streams begun at once: seconds to the first sound of each, to the end of all, and of sound in all."""
    body = json.dumps(server.contender.body(TWO)).encode()
    firsts: list[float] = []
    sound: list[float] = []
    lock = threading.Lock()

    def one() -> None:
        first, _, data = server.post(SPEECH, body, "application/json")
        with lock:
            firsts.append(first)
            sound.append((len(data) - 44) / 2 / RATE)

    began = time.perf_counter()
    together(count, one)
    return firsts, time.perf_counter() - began, sum(sound)


def measure(contender: Contender, again: int) -> dict[tuple[int, str], float]:
    """Seconds by number of streams: to the first sound, p50 and worst, to the end, and per second of sound."""
    found: dict[tuple[int, str], float] = {}
    with running(contender) as (server, _):
        server.speak("Hello.")
        for count in STREAMS:
            runs = [listen(server, count) for _ in range(again if count < STREAMS[-1] else 1)]
            firsts = [first for run in runs for first in run[0]]
            found[count, "first sound, p50"] = statistics.median(firsts)
            found[count, "first sound, worst"] = max(firsts)
            found[count, "all sound"] = statistics.median(run[1] for run in runs)
            found[count, "seconds per second of sound"] = statistics.median(run[1] / run[2] for run in runs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    again = 1 if parser.parse_args().quick else AGAIN
    mine, theirs = measure(ours(), again), measure(peer(), again)
    show(
        "Streams of two sentences",
        [
            Row(f"{count} at once, {what}", value, "s", theirs[count, what], PEER)
            for (count, what), value in mine.items()
        ],
    )


if __name__ == "__main__":
    main()
