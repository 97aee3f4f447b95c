"""Live transcription: word errors beside those of the whole recording, and how long words take to be said for good.

`python -m speechmlx.runtime.worker.blas python tests/bench/live.py [--quick]`.
A minute of clips and Kokoro's speech is fed in
pieces of 100 ms, at the pace of a microphone and as fast as it is taken; then a minute of silence and one of noise. A
word's delay runs from its end, as the batched recogniser times it in the whole recording, to its commit: in seconds of
audio fed, or of the clock at the pace of a microphone, where our own computing counts. --quick: the small model, half a
minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from difflib import SequenceMatcher
from functools import partial
from typing import Any

import jiwer
import numpy as np
from asr_material import PAUSES, RATE, Recording, long_file
from report import machine
from rich import box
from rich.console import Console
from rich.table import Table
from support.engine_runs import result
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.engines import whisper
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.streaming.commit_policy import POLICIES
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.models import catalog, store
from speechmlx.runtime.worker.device import device
from speechmlx.types import Audio, Command, End, Event, Feed, Hypothesis, Listen, Segment, Transcribe, Word

MODELS = ("whisper-tiny.en", "whisper-base")
PIECE = RATE // 10
PACES = ("microphone", "as fast as taken")


@dataclass
class Heard:
    """What a stream said, and when: seconds of audio fed, or of the clock since the first piece was due."""

    words: list[Word] = field(default_factory=list)
    when: list[float] = field(default_factory=list)
    first_text: float | None = None
    finish: float = 0.0
    """Seconds of the clock from the last piece to the last word."""

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


@dataclass(frozen=True)
class Row:
    model: str
    policy: str
    pace: str
    word_errors: float
    word_errors_of_the_whole: float
    mean_delay: float
    p90_delay: float
    first_text: float
    finish: float
    time_per_audio: float
    words_in_silence: int
    words_in_noise: int

    def cells(self) -> tuple[str, ...]:
        errors = f"{self.word_errors:.1%} ({self.word_errors_of_the_whole:.1%})"
        seconds = (self.mean_delay, self.p90_delay, self.first_text, self.finish)
        nothing = f"{self.words_in_silence} / {self.words_in_noise}"
        return (
            self.policy,
            self.pace,
            errors,
            *(f"{value:.2f} s" for value in seconds),
            f"{self.time_per_audio:.2f}",
            nothing,
        )


def loaded(model: str) -> Whisper:
    return result(whisper.load(store.fetch(catalog.CATALOG.resolve(model), store.cache_folder()), device()[0]))


def whole(engine: Whisper, samples: np.ndarray) -> list[Word]:
    state = engine.begin(Transcribe(audio=Audio(samples, RATE), language="en", words=True))
    words: list[Word] = []
    while not state.finished:
        for event in engine.step([state])[0]:
            words += event.words if isinstance(event, Segment) else ()
    engine.end(state)
    return words


def listen(engine: Whisper, samples: np.ndarray, policy: Any, paced: bool) -> tuple[Heard, float]:
    """What was heard, and the seconds of work per second of audio."""
    stream, heard, worked = engine.begin(Listen(language="en", policy=policy)), Heard(), 0.0
    assert isinstance(stream, LiveStream)
    begun = time.perf_counter()
    for end in range(PIECE, len(samples) + PIECE, PIECE):
        fed = min(end, len(samples)) / RATE
        if paced:
            time.sleep(max(0.0, begun + fed - time.perf_counter()))
        start = time.perf_counter()
        for event in _events(engine, stream, Feed(samples[end - PIECE : end])):
            _take(heard, event, time.perf_counter() - begun if paced else fed)
        worked += time.perf_counter() - start
    start = time.perf_counter()
    due = begun + len(samples) / RATE if paced else start
    for event in _events(engine, stream, End()):
        _take(heard, event, time.perf_counter() - begun if paced else len(samples) / RATE)
    engine.end(stream)
    heard.finish = time.perf_counter() - due
    return heard, (worked + time.perf_counter() - start) / (len(samples) / RATE)


def _events(engine: Whisper, stream: LiveStream, command: Command) -> Iterator[Event]:
    """The events of one command, each as soon as its step is done."""
    engine.feed(stream, command)
    while stream.busy:
        yield from (event for event in engine.step([stream])[0] if not isinstance(event, Exception))


def _take(heard: Heard, event: Event, when: float) -> None:
    if isinstance(event, Hypothesis):
        heard.words += event.committed
        heard.when += [when] * len(event.committed)
        if heard.first_text is None and (event.committed or event.tail):
            heard.first_text = when


def delays(heard: Heard, reference: list[Word]) -> list[float]:
    """Of the words that both heard alike, from the end in `reference` to the commit."""
    one, other = ([_bare(word) for word in words] for words in (reference, heard.words))
    pairs: Iterator[tuple[int, int]] = (
        (block.a + i, block.b + i)
        for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
        for i in range(block.size)
    )
    return [heard.when[b] - reference[a].end for a, b in pairs]


def _bare(word: Word) -> str:
    return "".join(letter for letter in word.text.lower() if letter.isalnum())


def count(engine: Whisper, samples: np.ndarray, policy: str) -> int:
    return len(listen(engine, samples.astype(np.float32), policy, paced=False)[0].words)


def measure(model: str, recording: Recording) -> list[Row]:
    engine, normal = loaded(model), EnglishTextNormalizer()
    errors = partial(jiwer.wer, normal(recording.words))
    reference = whole(engine, recording.samples)
    of_whole = errors(normal("".join(word.text for word in reference)))
    rows = []
    for policy in POLICIES:
        silence = count(engine, np.zeros(60 * RATE), policy)
        noise = count(engine, 0.05 * np.random.default_rng(5).standard_normal(60 * RATE), policy)
        for pace in PACES:
            heard, work = listen(engine, recording.samples, policy, pace == PACES[0])
            late = delays(heard, reference)
            first = (heard.first_text or 0.0) - reference[0].start
            times = float(np.mean(late)), float(np.percentile(late, 90)), first, heard.finish
            rows.append(Row(model, policy, pace, errors(normal(heard.text)), of_whole, *times, work, silence, noise))
    return rows


def show(rows: list[Row], seconds: float) -> None:
    for model in dict.fromkeys(row.model for row in rows):
        table = Table(title=f"Live transcription, {model}, {seconds:.0f} s", title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("policy")
        table.add_column("fed")
        for column in (
            "word errors (whole)",
            "delay, mean",
            "p90",
            "first text",
            "finish",
            "work / audio",
            "words in silence / noise",
        ):
            table.add_column(column, justify="right", overflow="fold")
        for row in rows:
            if row.model == model:
                table.add_row(*row.cells())
        Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small model, half a minute")
    quick = parser.parse_args().quick
    recording = long_file(30 if quick else 60)
    recording = replace(recording, samples=recording.samples[: -round(PAUSES[-1] * RATE)])  # it ends with a word
    rows = [row for model in (MODELS[:1] if quick else MODELS) for row in measure(model, recording)]
    show(rows, recording.seconds)
    sys.stdout.write(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}) + "\n")


if __name__ == "__main__":
    main()
