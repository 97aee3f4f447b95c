"""A language model beside mlx-lm's generator, with the same weights: from a prompt to its first token, then each token.

Both compute the same network of mlx-lm in the numbers that the engine has, and take the likeliest tokens. The engine
reads a prompt in short steps, so that others need not wait; mlx-lm reads it at once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import count
from typing import Any

import frames
import mlx.core as mx
from mlx_lm.generate import generate_step
from report import Row, show
from support.answers import ask
from support.engine_runs import result

from speechmlx.engines import LoadOptions, llm
from speechmlx.engines.llm.engine import LanguageModelEngine
from speechmlx.models import catalog, store

MODEL = "smollm2-135m-instruct"
WORDS = (20, 150)
"""Words of the prompts."""
TOKENS = 33
"""Of an answer."""

Answer = Callable[[str], Iterator[int]]
"""Gives the tokens of an answer to a prompt, one at a time."""


def ours(engine: LanguageModelEngine) -> Answer:
    def answer(text: str) -> Iterator[int]:
        seat = engine.begin(ask(text, max_tokens=TOKENS, temperature=0.0))
        while not seat.finished:
            before = len(seat.tokens)
            engine.step([seat])
            yield from seat.tokens[before:]
        engine.end(seat)

    return answer


def peer(engine: LanguageModelEngine) -> Answer:
    def answer(text: str) -> Iterator[int]:
        seat = engine.begin(ask(text))
        tokens = mx.array(seat.tokens)
        engine.end(seat)
        for token, _ in generate_step(tokens, engine._model, max_tokens=TOKENS):
            yield int(token)

    return answer


def measure(answer: Answer, text: str) -> tuple[float, float]:
    """Seconds to the first token, and of each after it."""
    start = time.perf_counter()
    times = [time.perf_counter() for _ in answer(text)]
    return times[0] - start, (times[-1] - times[0]) / (len(times) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of ten")
    options = parser.parse_args()
    with (served := frames.served()):
        row = catalog.CATALOG.resolve(MODEL)
        engine = result(
            llm.load(store.fetch(row, store.cache_folder()), LoadOptions(device="cpu" if served.is_on_cpu else "gpu"))
        )
    systems: dict[str, tuple[Any, Answer]] = {
        "speechmlx": (served, ours(engine)),
        "mlx-lm": (nullcontext(), peer(engine)),
    }
    rows, number = list[Row](), count()
    for words in WORDS:
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
        for _ in range(4 if options.quick else 11):
            for name, (around, answer) in systems.items():
                text = f"Story {next(number)}: tell me more about " + "the small fox by the old forest " * (words // 7)
                with around:
                    times[name].append(measure(answer, text))
        for at, what in enumerate(("to the first token", "each token after it")):
            mine, theirs = (statistics.median(one[at] for one in times[name][1:]) * 1000 for name in systems)
            rows.append(Row(f"{MODEL}, {words} words: {what}", mine, "ms", theirs, "mlx-lm"))
    show("A language model's answer", rows)


if __name__ == "__main__":
    main()
