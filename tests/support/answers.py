"""Chats on a language model's engine, without a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from speechmlx.engines.llm.engine import LanguageModelEngine, Seat
from speechmlx.engines.step_size import StepSize
from speechmlx.types import Generate, Message, TextDelta

QUESTIONS = ("What is the capital of France?", "Name three colours.", "Write a haiku about the sea.")
CHUNK = StepSize(64, 64, 64)


def new(engine: LanguageModelEngine, on_gpu: bool = False) -> LanguageModelEngine:
    """The same model with an empty prefix cache, and steps of one size."""
    return LanguageModelEngine(engine._model, engine._chat, 2048, CHUNK, 8, on_gpu)


def ask(text: str, **settings: Any) -> Generate:
    return Generate(messages=(Message("user", text),), **{"max_tokens": 12, **settings})


def answers(
    engine: LanguageModelEngine,
    requests: Sequence[Generate],
    pick: Callable[[int, list[Seat]], list[Seat]] | None = None,
) -> list[list[Any]]:
    """The events of each request. `pick(step, unfinished)` chooses the requests of a step."""
    seats = [engine.begin(request) for request in requests]
    events: dict[int, list[Any]] = {id(seat): [] for seat in seats}
    step = 0
    while unfinished := [seat for seat in seats if not seat.finished]:
        stepped = pick(step, unfinished) if pick else unfinished
        for seat, new_events in zip(stepped, engine.step(stepped), strict=True):
            events[id(seat)].extend(new_events)
        step += 1
    for seat in seats:
        engine.end(seat)
    return [events[id(seat)] for seat in seats]


def text(events: Sequence[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
