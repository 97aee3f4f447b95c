"""Language models: the words do not depend on how the work is cut into steps."""

from __future__ import annotations

from typing import Any

from support.answers import QUESTIONS, answers, ask, new, text

from speechmlx.engines.llm.engine import LanguageModelEngine
from speechmlx.engines.step_size import StepSize


def test_the_size_of_steps_changes_no_word(engine: LanguageModelEngine) -> None:
    request = ask("The quick brown fox jumps over the lazy dog. " * 14 + "What animal jumps?", max_tokens=4)
    found = set()
    for size in (16, 32, 64, 128, 256):
        sized = LanguageModelEngine(engine._model, engine._chat, 2048, StepSize(size, size, size), 8)
        found.add(text(answers(sized, [request])[0]))
    assert len(found) == 1 and "fox" in found.pop()


SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 0.9, "top_p": 0.9, "seed": 1},
    {"repetition_penalty": 1.5},
    {"temperature": 0.7, "seed": 2},
)


def test_pipelined_it_answers_the_same(engine: LanguageModelEngine) -> None:
    requests = [ask(QUESTIONS[i % 3], max_tokens=6, **settings) for i, settings in enumerate(SETTINGS)]
    expected = [answers(new(engine), [request])[0] for request in requests]
    pipelined = new(engine, on_gpu=True)
    assert [answers(pipelined, [request])[0] for request in requests] == expected
    assert answers(pipelined, requests) == expected


def test_pipelined_requests_come_end_and_are_cancelled_between_steps(engine: LanguageModelEngine) -> None:
    requests = [ask(question, max_tokens=9) for question in QUESTIONS]
    expected = [answers(new(engine), [request])[0] for request in requests]
    pipelined = new(engine, on_gpu=True)
    gone, stays = pipelined.begin(requests[0]), pipelined.begin(requests[1])
    found = [event for _ in range(4) for event in pipelined.step([gone, stays])[1]]
    pipelined.end(gone)
    comes = pipelined.begin(requests[2])
    came: list[Any] = []
    while live := [seat for seat in (stays, comes) if not seat.finished]:
        for seat, events in zip(live, pipelined.step(live), strict=True):
            (found if seat is stays else came).extend(events)
            if seat.finished:
                pipelined.end(seat)
    assert [found, came] == expected[1:]
    assert pipelined._decoder._pending is None and not pipelined._decoder._batch.members
    assert answers(pipelined, requests) == expected, "what was computed in vain is not kept for later prompts"
