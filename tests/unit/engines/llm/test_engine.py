"""Which messages make room for an answer, and how much context a checkpoint has."""

from __future__ import annotations

import pytest

from speechmlx.engines import llm
from speechmlx.engines.llm.engine import _without_oldest
from speechmlx.types import FunctionCall, Message

CHAT = [
    Message("system", "Be brief."),
    Message("user", "x" * 10),
    Message("assistant", call=FunctionCall("f", "{}", "1")),
    Message("tool", "y" * 10, "1"),
    Message("user", "z" * 10),
    Message("system", "And kind."),
    Message("user", "last"),
]


@pytest.mark.parametrize(
    ("surplus", "kept"),
    [
        (0, [0, 1, 2, 3, 4, 5, 6]),
        (1, [0, 2, 3, 4, 5, 6]),
        (11, [0, 4, 5, 6]),
        (60, [0, 4, 5, 6]),
        (1000, [0, 5, 6]),
    ],
)
def test_the_oldest_messages_are_dropped(surplus: float, kept: list[int]) -> None:
    assert _without_oldest(CHAT, surplus) == [CHAT[place] for place in kept]


def test_a_call_and_its_results_at_the_end_stay() -> None:
    assert _without_oldest(CHAT[:4], 1000) == [CHAT[0], *CHAT[2:4]]


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"text_config": {"max_position_embeddings": 1024}}, 1024),
        ({}, llm.CONTEXT),
    ],
)
def test_the_context_of_a_checkpoint(config: dict[str, object], context: int) -> None:
    assert llm._context(config) == context
