"""The speech of a text that is written: the one way to it, for conversations and for the wires that take such a text.

A voice that takes text while it is written gets all of it in one job; others get clause after clause.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.response.answer import ClauseEnded, ClauseStarted, Piece
from speechmlx.conversation.response.live_speech import speak_sentences
from speechmlx.conversation.response.synthesis import speak_clause
from speechmlx.conversation.response.written_text import TimedText, clauses_of
from speechmlx.errors import BadRequest, UnknownVoice
from speechmlx.types import Chunk, Kind, Speak


def speak_written(engines: Engines, speech: Speak, text: AsyncIterator[TimedText]) -> AsyncGenerator[Piece, None]:
    """The audio of `text` while it is written, spoken as `speech` says: its clauses, which join to it.

    A clause that cannot be spoken is silent, and its end says why. Close it (`contextlib.aclosing`) and the job under
    way is cancelled. `text` is as SentenceReader wants it. Raises UnknownModel, and SpeechErrors but BadRequest.
    """
    streams_text = engines.model(speech.model, Kind.TTS).streams_text
    return (speak_sentences if streams_text else speak_clauses)(engines, speech, text)


async def speak_clauses(engines: Engines, speech: Speak, text: AsyncIterator[TimedText]) -> AsyncGenerator[Piece, None]:
    """`speak_written` by a voice that takes whole clauses: a job for each."""
    async with aclosing(clauses_of(text)) as clauses:
        async for clause in clauses:
            refused = None
            yield ClauseStarted(clause)
            try:
                async with aclosing(speak_clause(engines, speech, clause)) as spoken:
                    async for piece in spoken:
                        yield piece
            except BadRequest as error:
                refused = error
            yield ClauseEnded(refused)


async def speak_audibly(engines: Engines, speech: Speak, text: AsyncIterator[TimedText]) -> AsyncGenerator[Piece, None]:
    """`speak_written` for one answer: raises UnknownVoice, and why a clause is silent if no clause has sound."""
    has_sound, refused = False, None
    async with aclosing(speak_written(engines, speech, text)) as spoken:
        async for piece in spoken:
            if isinstance(piece, ClauseEnded):
                refused = piece.refused or refused
            if isinstance(refused, UnknownVoice):
                raise refused
            has_sound = has_sound or (isinstance(piece, Chunk) and any(piece.pcm16))
            yield piece
    if refused is not None and not has_sound:
        raise refused
