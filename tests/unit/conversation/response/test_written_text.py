"""A text while it is written: clauses by the times at which it came, and sentences as far as they go."""

from __future__ import annotations

import asyncio

import pytest

from speechmlx.conversation.response import written_text
from speechmlx.conversation.response.clauses import PATIENCE
from speechmlx.conversation.response.sentences import SentencePiece
from speechmlx.conversation.response.written_text import SentenceReader, TimedText, clauses_of
from speechmlx.runtime.channel import Channel

WAY = "Boiling eggs is a simple yet effective way "


def text_of(*pieces: TimedText, ended: bool = True) -> Channel[TimedText]:
    text = Channel[TimedText]()
    for piece in pieces:
        text.put(piece)
    if ended:
        text.end()
    return text


@pytest.mark.parametrize(("pace", "first"), [(0.01, f"{WAY}to do it now."), (2 * PATIENCE, WAY)])
async def test_a_clause_is_cut_by_the_times_at_which_it_came(pace: float, first: str) -> None:
    """However late it is read."""
    pieces = "Here is what we do. ", WAY, "to do it ", "now."
    text = text_of(*(TimedText(piece, 5.0 + number * pace) for number, piece in enumerate(pieces)))
    found = [clause async for clause in clauses_of(text)]
    assert found[1] == first


@pytest.mark.parametrize(("cut_off", "said"), [(False, ["It is late. ", "And so"]), (True, ["It is late. "])])
async def test_what_a_limit_cut_off_is_no_clause(cut_off: bool, said: list[str]) -> None:
    text = text_of(TimedText("It is late. And so", 0.0), TimedText("", 0.0, cut_off))
    assert [clause async for clause in clauses_of(text)] == said


async def taken(reader: SentenceReader, for_job: bool = False) -> list[SentencePiece]:
    found = list[SentencePiece]()
    while await reader.ready(for_job):
        found.append(reader.next)
        assert reader.take() is found[-1]
    return found


async def test_sentences_are_taken_as_far_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_text, "HELD", 0.0)
    text = text_of(TimedText("It is very late. And so", 0.0), ended=False)
    reader = SentenceReader(text)
    first = [SentencePiece("It is very late. ", True), SentencePiece("And so"), SentencePiece("", True)]
    assert await taken(reader, for_job=True) == first
    assert not await reader.ready(for_job=True)
    reader.put_back(first)
    text.put(TimedText(" on.", 0.01))
    text.end()
    assert await taken(reader) == [*first, SentencePiece(" on.", True)] and not await reader.ready()


async def test_what_waits_for_its_end_is_said_where_none_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with no voice held for it; and no wait for a text of which nothing is there has an end."""
    text = text_of(TimedText("Hello.", 0.0), ended=False)
    reader = SentenceReader(text)
    monkeypatch.setattr(written_text, "HELD", 0.0)
    assert await reader.ready() and reader.take() == SentencePiece("Hello.", True)
    assert not await reader.ready(for_job=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.0):
            await reader.ready()
    text.put(TimedText("Yes.", 20.0))
    text.end()
    assert await taken(reader) == [SentencePiece("Yes.", True)]


async def test_a_wait_that_is_cancelled_loses_no_text() -> None:
    text = text_of(ended=False)
    reader = SentenceReader(text)
    waiting = asyncio.create_task(reader.ready())
    await asyncio.sleep(0)
    waiting.cancel()
    text.put(TimedText("It is late now.", 0.0))
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    text.end()
    assert await reader.ready() and reader.take() == SentencePiece("It is late now.")
