"""DeepFilterNet 3 beside mlx-audio's: real-time factor whole and live, time to import and load, and what it gains.

The same weights and the same noisy speech, one process each, both with the BLAS of the engine process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from report import Row, show
from support import clips
from support.engine_runs import result

from speechmlx.models import catalog, store

RATE = 48_000
SECONDS, LIVE_SECONDS = 11, 4
LIVE_PIECE = RATE * 20 // 1000
DECIBELS = 5.0

Samples = NDArray[np.float32]
Enhance = Callable[[Iterable[Samples]], Samples]
"""Pieces of a live input → the whole output."""


@dataclass(frozen=True)
class Taken:
    """Seconds to import and load, seconds of work per second of audio, and decibels of SI-SDR gained."""

    load: float
    whole: float
    live: float
    gain: float


def speech() -> tuple[Samples, Samples]:
    """Clean and noisy, at RATE."""
    samples, rate = soundfile.read(clips.path("jfk"), dtype="float32")
    clean = soxr.resample(samples, rate, RATE).astype(np.float32)[: SECONDS * RATE]
    noise = np.random.default_rng(0).standard_normal(len(clean), dtype=np.float32)
    level = np.sqrt(np.mean(clean**2) / np.mean(noise**2)) * 10 ** (-DECIBELS / 20)
    return clean, clean + np.float32(level) * noise


def si_sdr(reference: Samples, estimate: Samples) -> float:
    target = reference * (estimate @ reference) / (reference @ reference)
    return float(10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2)))


def ours(folder: Path) -> tuple[Enhance, Enhance]:
    from speechmlx.audio.pcm import from_pcm16
    from speechmlx.engines import LoadOptions, deepfilternet
    from speechmlx.types import Chunk, Enhance

    engine = result(deepfilternet.load(folder, LoadOptions()))

    def enhance(pieces: Iterable[Samples]) -> Samples:
        stream = engine.open(Enhance())
        said = [event for piece in pieces for event in stream.feed(piece)]
        said.extend(stream.finish())
        return np.concatenate([from_pcm16(event.pcm16) for event in said if isinstance(event, Chunk)])

    return enhance, enhance


def peer(folder: Path) -> tuple[Enhance, Enhance]:
    from mlx_audio.sts.models.deepfilternet import DeepFilterNetModel

    with contextlib.redirect_stdout(sys.stderr):
        model = DeepFilterNetModel.from_pretrained(str(folder), subfolder=None)
    model.enhance_array(np.zeros(RATE, np.float32))

    def live(pieces: Iterable[Samples]) -> Samples:
        streamer = model.create_streamer()
        return np.concatenate([*(streamer.process_chunk(piece) for piece in pieces), streamer.flush()])

    return lambda pieces: model.enhance_array(np.concatenate(list(pieces))), live


def run(which: str, rounds: int) -> None:
    """In a process of its own: one JSON line of medians."""
    folder = store.fetch(catalog.CATALOG.resolve("deepfilternet3"), store.cache_folder())
    clean, noisy = speech()
    start = time.perf_counter()
    whole, live = {"ours": ours, "peer": peer}[which](folder)
    load = time.perf_counter() - start
    pieces = np.split(noisy[: LIVE_SECONDS * RATE], range(LIVE_PIECE, LIVE_SECONDS * RATE, LIVE_PIECE))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for enhance, given, taken in ((whole, [noisy], times[0]), (live, pieces, times[1])):
            start = time.perf_counter()
            enhanced = enhance(given)
            taken.append((time.perf_counter() - start) / (sum(map(len, given)) / RATE))
            if enhance is whole and given is not pieces:
                gain = si_sdr(clean, enhanced) - si_sdr(clean, noisy)
    sys.stdout.write(
        json.dumps(asdict(Taken(load, statistics.median(times[0]), statistics.median(times[1]), gain))) + "\n"
    )


def child(which: str, rounds: int) -> Taken:
    """PYTHONHASHSEED: with some, mlx-audio's loader drops biases."""
    command = [sys.executable, __file__, "--run", which, "--rounds", str(rounds)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    return Taken(**json.loads(said.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    parser.add_argument("--run", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run, options.rounds)
        return
    rounds = 1 if options.quick else options.rounds
    us, them = child("ours", rounds), child("peer", rounds)
    rows = [
        Row(f"whole, {SECONDS} s: time / audio", us.whole, "", them.whole, "mlx-audio"),
        Row(f"live, {LIVE_PIECE * 1000 // RATE} ms at a time: time / audio", us.live, "", them.live, "mlx-audio"),
        Row("import and load", us.load, "s", them.load, "mlx-audio"),
    ]
    gains = f"speech and noise at {DECIBELS:g} dB gain {us.gain:.1f} dB SI-SDR, mlx-audio's {them.gain:.1f} dB"
    show(f"Enhancement, DeepFilterNet 3: {gains}", rows)


if __name__ == "__main__":
    main()
