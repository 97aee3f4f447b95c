"""Kokoro beside mlx-audio's Kokoro: real-time factor and time to the first audio, for two sentences and for twelve.

The same weights, voice and phonemes, one process each, both with the BLAS and the convolutions of the engine process.
The peer is called directly and is given phonemes, so reading the text is in our times only.
"""

from __future__ import annotations

import argparse
import inspect
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from report import Row, show
from support.engine_runs import result

from speechmlx.models import catalog, store
from speechmlx.reading.preview import phonemes_of
from speechmlx.reading.sentences import clauses

VOICE, RATE = "af_heart", 24000
TWO = (
    "The train to the coast leaves at half past nine. Bring a warm coat, because the wind by the sea is cold in spring."
)
TWELVE = (
    f"{TWO} We shall walk along the harbour first and look at the boats. Then there is a small museum about the "
    "lighthouse and the people who kept it. It closes at noon, so we must not be late. After lunch we can climb the "
    "hill behind the church. From the top you see three islands and, on a clear day, the mountains. My grandfather "
    "used to draw them from memory. He said that a good map is a kind of promise. In the evening the market opens in "
    "the old square. You can buy bread, cheese, and honey from the farms nearby. The last train home goes at eleven."
)
TEXTS = {"two sentences": TWO, "twelve sentences": TWELVE}
LONGEST = 510  # phonemes in one call of the peer, as its own pipeline packs them

Speech = Iterator[int]
"""Numbers of samples, each as soon as they are there."""


@dataclass(frozen=True)
class Timing:
    """Seconds to the first audio, seconds in all, and seconds of audio."""

    first: float
    total: float
    audio: float


def ours(folder: Path) -> Callable[[str], Speech]:
    from speechmlx.engines import LoadOptions, kokoro
    from speechmlx.types import Chunk, NamedVoice, Speak

    engine = result(kokoro.load(folder, LoadOptions()))

    def speak(text: str) -> Speech:
        for event in engine.run(Speak(text=text, voice=NamedVoice(VOICE))):
            if isinstance(event, Chunk):
                yield len(event.pcm16) // 2

    return speak


def peer(folder: Path) -> Callable[[str], Speech]:
    import mlx.core as mx
    from mlx_audio.tts.models.kokoro.kokoro import Model, ModelConfig

    from speechmlx.engines import cpu

    cpu.install()
    config = json.loads((folder / "config.json").read_text())
    known = inspect.signature(ModelConfig).parameters
    model = Model(ModelConfig(**{name: value for name, value in config.items() if name in known}))
    model.load_weights(list(model.sanitize(mx.load(str(folder / "model.safetensors"))).items()))
    model.eval()
    voice: Any = mx.load(str(folder / "voices" / f"{VOICE}.safetensors"))
    (styles,) = voice.values()
    mx.eval(model.parameters(), styles)

    def speak(text: str) -> Speech:
        for phonemes in clauses(phonemes_of(text, "en-us"), LONGEST):
            audio = model(phonemes.strip(), styles[len(phonemes.strip()) - 1], 1.0)
            mx.eval(audio)
            yield audio.shape[-1]

    return speak


def measure(speak: Callable[[str], Speech], text: str) -> Timing:
    start, first, samples = time.perf_counter(), 0.0, 0
    for count in speak(text):
        first = first or time.perf_counter() - start
        samples += count
    return Timing(first, time.perf_counter() - start, samples / RATE)


def run(which: str, rounds: int) -> None:
    """In a process of its own: one JSON line of medians per text, after a round that is not counted."""
    speak = {"ours": ours, "peer": peer}[which](
        store.fetch(catalog.CATALOG.resolve("kokoro-82m"), store.cache_folder())
    )
    taken = {}
    for name, text in TEXTS.items():
        measure(speak, text)
        timings = [measure(speak, text) for _ in range(rounds)]
        taken[name] = asdict(sorted(timings, key=lambda t: t.total)[rounds // 2]) | {
            "first": statistics.median(t.first for t in timings)
        }
    sys.stdout.write(json.dumps(taken) + "\n")


def child(which: str, rounds: int) -> dict[str, Timing]:
    command = [sys.executable, __file__, "--run", which, "--rounds", str(rounds)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: Timing(**taken) for name, taken in json.loads(said.splitlines()[-1]).items()}


def rows(us: dict[str, Timing], them: dict[str, Timing]) -> list[Row]:
    made = []
    for name in TEXTS:
        mine, theirs = us[name], them[name]
        made += [
            Row(f"{name}: time / audio", mine.total / mine.audio, "", theirs.total / theirs.audio, "mlx-audio"),
            Row(f"{name}: first audio", mine.first, "s", theirs.first, "mlx-audio"),
        ]
    return made


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
    show("Speech synthesis, Kokoro-82M", rows(child("ours", rounds), child("peer", rounds)))


if __name__ == "__main__":
    main()
