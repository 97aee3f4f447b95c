"""How soon an answer begins to be spoken, and answers that are begun before they are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from speechmlx.conversation.response.cascade import Piece
from speechmlx.conversation.response.clauses import early
from speechmlx.conversation.response.preemptive import Draft
from speechmlx.conversation.settings import Answering
from speechmlx.errors import EngineFailed
from speechmlx.types import Generate, Message, TextDelta

LONG = "The people of the town went down to the harbour in the morning"


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("Well,", [], "Well,"),
        ("The capital of France is Paris,", ["The capital of France is Paris,"], ""),
        ("There are about 300,", [], "There are about 300,"),
        ("It is on the left", [], "It is on the left"),
        (f"{LONG} and", ["The people of the town went down "], "to the harbour in the morning and"),
        ("ka " * 24, ["ka " * 20], "ka " * 4),
        ("x" * 90, [], "x" * 90),
        (f"{LONG}.", [], f"{LONG}."),
    ],
)
def test_the_first_clause_comes_early_and_whole(text: str, whole: list[str], rest: str) -> None:
    assert early(text, first=True, slow=False) == (whole, rest)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("Boiling eggs is a simple yet effective way to ", ["Boiling eggs is a simple yet effective way "], "to "),
        ("Boiling eggs is a simple yet effective way to", [], "Boiling eggs is a simple yet effective way to"),
        ("We went to the harbour ", [], "We went to the harbour "),
        ("Der Hafen liegt im Norden der Stadt ", [], "Der Hafen liegt im Norden der Stadt "),
    ],
)
def test_what_is_slowly_written_is_said_by_phrases(first: bool, text: str, whole: list[str], rest: str) -> None:
    assert early(text, first, slow=True) == (whole, rest)


def test_later_clauses_that_come_fast_are_whole() -> None:
    assert early(f"{LONG} and then home,", first=False, slow=False) == ([], f"{LONG} and then home,")


@pytest.mark.parametrize("fails", [True, False])
async def test_a_draft_knows_that_it_failed(fails: bool) -> None:
    async def pieces() -> AsyncGenerator[Piece, None]:
        yield TextDelta("Hello.")
        if fails:
            raise EngineFailed("no")

    draft = Draft(Generate(messages=(Message("user", "Hi"),)), Answering(), pieces())
    assert not draft.failed
    await asyncio.sleep(0.01)
    assert draft.failed == fails
    if not fails:
        assert [piece async for piece in draft.pieces()] == [TextDelta("Hello.")]
