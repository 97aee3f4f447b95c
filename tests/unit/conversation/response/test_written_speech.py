"""The speech of a text that is written: which voice gets what of it, and what becomes of what cannot be said."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from support.fake_engines import FakeEngines, Step, row
from support.live_voice import LOUD, RATE, ROWS, LiveEngines, chunk

from speechmlx.conversation.response.answer import ClauseEnded, ClauseStarted, Piece
from speechmlx.conversation.response.written_speech import speak_audibly, speak_written
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Kind, Speak, SpeakStream

SPEECH = Speak(text="", speed=2.0)


def text_of(*pieces: str) -> Channel[TimedText]:
    text = Channel[TimedText]()
    for piece in pieces:
        text.put(TimedText(piece, 0.0))
    text.end()
    return text


def say(request: Speak) -> Iterable[Step]:
    """A voice that takes whole clauses; it raises what a clause names."""
    errors = {"refuse": BadRequest("refused"), "nobody": UnknownVoice("nobody"), "break": EngineFailed("broken")}
    return [next((error for name, error in errors.items() if name in request.text), chunk(LOUD))]


def clausal() -> FakeEngines:
    return FakeEngines(say, [row(Kind.TTS, rate=RATE)])


async def test_the_row_tells_how_its_voice_takes_a_text() -> None:
    engines: FakeEngines
    for engines, kind in ((clausal(), Speak), (LiveEngines(rows=ROWS), SpeakStream)):
        text = text_of("This is a sentence. ", "And this is another one.")
        pieces = [piece async for piece in speak_written(engines, SPEECH, text)]
        started = [piece.text for piece in pieces if isinstance(piece, ClauseStarted)]
        assert started[0].strip() == "This is a sentence." and len(started) == 2
        assert len(engines.jobs) == (2 if kind is Speak else 1)
        assert {type(job.request) for job in engines.jobs} == {kind}
        assert all(request.speed == 2.0 for request in engines.requests(kind)) and all(job.left for job in engines.jobs)


async def test_a_clause_that_is_refused_is_silent_and_its_end_says_why() -> None:
    pieces = [piece async for piece in speak_written(clausal(), SPEECH, text_of("Please refuse this. ", "Say this."))]
    assert [type(piece) for piece in pieces] == [ClauseStarted, ClauseEnded, ClauseStarted, Chunk, ClauseEnded]
    ends = [piece.refused for piece in pieces if isinstance(piece, ClauseEnded)]
    assert str(ends[0]) == "refused" and ends[1] is None


async def test_a_failure_is_no_refusal() -> None:
    with pytest.raises(EngineFailed, match="broken"):
        assert [piece async for piece in speak_written(clausal(), SPEECH, text_of("Please break. ", "Say this."))]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (("Please refuse this. ", "Say this."), None),
        (("Please refuse this. ", "And refuse this."), BadRequest),
        (("Say this please. ", "But for nobody at all."), UnknownVoice),
        ((), None),
    ],
)
async def test_an_answer_fails_where_no_clause_has_sound(text: tuple[str, ...], error: type[Exception] | None) -> None:
    found = list[Piece]()

    async def read() -> None:
        async for piece in speak_audibly(clausal(), SPEECH, text_of(*text)):
            found.append(piece)

    if error is None:
        await read()
    else:
        with pytest.raises(error):
            await read()
    assert any(isinstance(piece, Chunk) for piece in found) is any("Say" in piece for piece in text)


async def test_a_live_voice_that_refuses_all_fails_the_answer() -> None:
    with pytest.raises(BadRequest, match="cannot be said"):
        assert [piece async for piece in speak_audibly(LiveEngines(rows=ROWS), SPEECH, text_of("An unsayable thing."))]
