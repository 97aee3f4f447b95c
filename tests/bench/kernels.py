"""Kernels, host reads and bytes of weights of each engine's steps, counted from MLX's graphs on the GPU's path.

`scripts/bench kernels`, and `scripts/bench kernels --tree PATH` for another revision that is checked out there. Models
are loaded as for a GPU, in float16, and run on what MLX has here. These are counts, not times: see graphs.py for what
one kernel is.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import big_models
import mlx.core as mx
import numpy as np
import psutil
import small_models
import soundfile
from graphs import Counts, Watch, usual
from rich import box
from rich.console import Console
from rich.table import Table
from support import clips
from support.engine_runs import result
from support.metal_arithmetic import metal_arithmetic

import speechmlx
from speechmlx.engines import Batched, LoadOptions, Paced
from speechmlx.models import catalog, store
from speechmlx.types import (
    Audio,
    DetectSpeech,
    DetectTurn,
    Enhance,
    Feed,
    Generate,
    Listen,
    Message,
    Speak,
    Transcribe,
)

GPU = LoadOptions(dtype="float16", device="gpu", warm_up=False)
STEPS = 8
"""Steps of a kind that are looked at; what most of them count is taken."""
PROMPT = "Once upon a time there was a small fox who lived at the edge of a forest. " * 3
SENTENCE = "Bring a warm coat, because the wind by the sea is cold in spring."
"""About 60 phonemes."""


@dataclass(frozen=True)
class Row:
    """One step of an engine."""

    engine: str
    step: str
    kernels: int
    reads: int
    weights: int
    """Bytes."""


def load(folder: Path, engine: str) -> Any:
    module, _, function = engine.partition(":")
    return result(getattr(importlib.import_module(module), function)(folder, GPU))


def row(engine: str, step: str, counts: Counts) -> Row:
    return Row(engine, step, counts.total, counts.reads, counts.weights)


def whisper(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    network = engine.network
    x = mx.zeros((1, 1500, network.dims.n_audio_state), mx.float16)
    mx.eval(x, network.decoder.logits(mx.zeros((1, network.dims.n_text_state), mx.float16)))
    watch.weigh(engine)  # with what the first logits made
    watch.take()
    mx.eval(network.encoder.block(0, x))
    yield row(name, "encoder block, one window", watch.take())
    samples, rate = soundfile.read(clips.path("librispeech"), dtype="float32")
    request = Transcribe(audio=Audio(samples, rate), language="en", vad=False, temperatures=(0.0,))
    state, by_stage = engine.begin(request), dict[str, list[Counts]]()
    while not state.finished and len(by_stage.get("DECODING", ())) < STEPS:
        stages = [window.stage.name for window in state.windows]
        engine.step([state])
        by_stage.setdefault(stages[0] if stages else "", []).append(watch.take())
    engine.end(state)
    yield row(name, "prompt and first token", by_stage["ENCODED"][0])
    yield row(name, "one token", usual(by_stage["DECODING"]))
    yield row(name, "listening, one second", _listening(engine, samples, watch))


def _listening(engine: Any, samples: np.ndarray, watch: Watch) -> Counts:
    """The second second of speech, in pieces of 100 ms."""
    state, total = engine.begin(Listen(language="en")), Counts()
    for start in range(0, 32_000, 1600):
        engine.feed(state, Feed(samples[start : start + 1600]))
        while state.busy:
            engine.step([state])
        counts = watch.take()
        if start >= 16_000:
            total += counts
    engine.end(state)
    return total


def llm(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    def asked(text: str) -> Generate:
        return Generate(messages=(Message("user", text),), max_tokens=STEPS + 2)

    watch.take()
    seat, reading, writing = engine.begin(asked(PROMPT)), list[Counts](), list[Counts]()
    while not seat.finished:
        read = seat.read < seat.prompt - 1
        engine.step([seat])
        (reading if read else writing).append(watch.take())
    engine.end(seat)
    yield row(name, "chunk of a prompt", usual(reading))
    yield row(name, "one token", usual(writing))
    seats = [engine.begin(asked(f"{number} is what?")) for number in range(4)]
    together = list[Counts]()
    while not any(seat.finished for seat in seats):
        engine.step(seats)
        together.append(watch.take())
    for seat in seats:
        engine.end(seat)
    yield row(name, "one token of four chats", usual(together[-STEPS // 2 :]))


def kokoro(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    called = list[str]()
    for part in ("encoder", "vocoder"):
        if dataclasses.is_dataclass(parts := getattr(engine, part, None)) and not isinstance(parts, type):
            noted = {field.name: _noted(called, field.name, getattr(parts, field.name)) for field in _functions(parts)}
            object.__setattr__(engine, part, dataclasses.replace(parts, **noted))
    by_stage, stage = dict[str, Counts](), "reading"
    watch.take()
    for _ in _events(engine, Speak(text=SENTENCE)):
        stage = " and ".join(called) or stage
        called.clear()
        by_stage[stage] = by_stage.get(stage, Counts()) + watch.take()
    for stage, counts in by_stage.items():
        if counts.total:
            yield row(name, stage, counts)
    yield row(name, "a sentence of 60 phonemes in all", sum(by_stage.values(), Counts()))


def _functions(parts: Any) -> list[Any]:
    return [field for field in dataclasses.fields(parts) if callable(getattr(parts, field.name))]


def _noted(called: list[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        called.append(name)
        return function(*args)

    return run


def _events(engine: Any, request: Any) -> Iterator[Any]:
    """Something after each step."""
    if not isinstance(engine, Batched):
        yield from engine.run(request)
        return
    state = engine.begin(request)
    while not state.finished:
        yield engine.step([state])
    engine.end(state)


def deepfilternet(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    for title, size in (("20 ms of live sound", 960), ("block of 400 ms", 19_200)):
        stream, found = engine.open(Enhance()), list[Counts]()
        watch.take()
        for _ in range(STEPS):
            list(stream.feed(np.random.default_rng(0).standard_normal(size, dtype=np.float32) * 0.1))
            found.append(watch.take())
        stream.close()
        yield row(name, title, usual(found))


def silero(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    watch.take()
    list(engine.open(DetectSpeech()).feed(np.zeros(512, np.float32)))
    yield row(name, "frame of 32 ms (numpy)", watch.take())


def smart_turn(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    watch.take()
    list(engine.run(DetectTurn(audio=Audio(np.zeros(128_000, np.float32), 16_000))))
    yield row(name, "8 s", watch.take())


def ecapa(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    for title, windows in (("one window", 1), ("eight windows", 8)):
        watch.take()
        engine.embed(np.ones((windows, 24_000), np.float32))
        yield row(name, title, watch.take())


def fsmn_vad(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    stream = engine.open(DetectSpeech())
    found = list[Counts]()
    for _ in range(STEPS):
        watch.take()
        list(stream.feed(np.zeros(1600, np.float32)))
        found.append(watch.take())
    yield row(name, "100 ms of live sound (numpy)", usual(found))


def small(name: str, engine: Any, watch: Watch) -> Iterator[Row]:
    if isinstance(engine, Paced):
        engine.aim = math.inf  # how often the host waits is then the same on every machine
    for step, counts in small_models.SMALL[name].look(engine, watch):
        yield row(f"{name} (small)", step, counts)


LOOKS: dict[str, Callable[[str, Any, Watch], Iterator[Row]]] = {
    "whisper-base": whisper,
    "smollm2-135m-instruct": llm,
    "kokoro-82m": kokoro,
    "deepfilternet3": deepfilternet,
    "silero-vad": silero,
    "smart-turn-v3": smart_turn,
    "ecapa-diarizer": ecapa,
    "fsmn-vad": fsmn_vad,
    "whisper-large-v3-turbo": whisper,
    "qwen3-4b-instruct": llm,
    **dict.fromkeys(small_models.SMALL, small),
}


def engine_of(name: str) -> str:
    """The import string of the `load` of what is looked at."""
    return small_models.SMALL[name].engine if name in small_models.SMALL else catalog.CATALOG.resolve(name).engine


def rows_of(name: str) -> Iterator[Row]:
    is_big = name in big_models.CONFIGS
    with tempfile.TemporaryDirectory() as folder, metal_arithmetic(), ExitStack() as stack:
        if is_big:
            stack.enter_context(patch.object(mx, "quantized_matmul", big_models.product))
        watch = stack.enter_context(Watch())
        if is_big:
            tokenizer = store.fetch(catalog.CATALOG.resolve(big_models.TOKENIZER), store.cache_folder())
            path = big_models.write(name, Path(folder), tokenizer)
        elif name in small_models.SMALL:
            path = small_models.SMALL[name].write(Path(folder))
        else:
            path = store.fetch(catalog.CATALOG.resolve(name), store.cache_folder())
        engine = load(path, engine_of(name))
        watch.weigh(engine)
        yield from LOOKS[name](name, engine, watch)


def table(rows: list[Row]) -> Table:
    found = Table(title="Counts per step on the GPU's path", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("engine", "step", "kernels", "host reads", "weights MB"):
        found.add_column(column, justify="right" if column[0] in "khw" else "left")
    for one in rows:
        found.add_row(one.engine, one.step, str(one.kernels), str(one.reads), f"{one.weights / 1e6:.1f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the large models of the profile standard")
    parser.add_argument("--only", choices=LOOKS, help="one model")
    args = parser.parse_args()
    rows = list[Row]()
    for name in LOOKS if args.only is None else [args.only]:
        need = big_models.BYTES.get(name, 0)
        if need and (args.quick or need > psutil.virtual_memory().available):
            sys.stderr.write(f"{name} is left out: {'--quick' if args.quick else f'it needs {need / 1e9:.0f} GB'}\n")
            continue
        sys.stderr.write(f"{name}\n")
        for one in rows_of(name):
            sys.stderr.write(f"  {one}\n")  # a run may take long, and be ended
            rows.append(one)
        mx.clear_cache()
    Console().print(table(rows))
    where = os.path.relpath(Path(speechmlx.__file__).parents[1])
    sys.stdout.write(json.dumps({"tree": where, "rows": [asdict(one) for one in rows]}) + "\n")


if __name__ == "__main__":
    main()
