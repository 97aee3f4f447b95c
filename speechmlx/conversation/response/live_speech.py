"""The speech of an answer by a voice that takes text while it is written: one job for all of its sentences."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import fields

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.response.answer import ClauseEnded, ClauseGrown, ClauseStarted, Piece
from speechmlx.conversation.response.sentences import SentencePiece
from speechmlx.conversation.response.synthesis import SilenceTrimmer, pause_after
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Command, FeedText, FlushText, Kind, Speak, SpeakStream, TextFlushed


async def speak_written(engines: Engines, speech: Speak, said: Channel[SentencePiece]) -> AsyncGenerator[Piece, None]:
    """The audio of what is `said`, spoken as `speech` says; each sentence is a clause that may grow.

    Close it (`contextlib.aclosing`) and the job is cancelled. Raises SpeechErrors.
    """
    rate = engines.model(speech.model, Kind.TTS).rate
    written = deque([WrittenSentence()])
    """The sentence that is being spoken, and those after it; the last one has no end yet."""

    async def commands() -> AsyncGenerator[Command, None]:
        async for piece in said:
            written[-1].add(piece)
            if piece.text:
                yield FeedText(piece.text)
            if piece.ends:
                written.append(WrittenSentence())
                yield FlushText()

    async with engines.submit(_stream(speech)).fed_by(commands()) as job:
        async for event in job:
            spoken: Iterator[Piece] = iter(())
            if isinstance(event, Chunk):
                spoken = written[0].sounds(event)
            elif isinstance(event, TextFlushed):
                spoken = written.popleft().ends(rate)
            for piece in spoken:
                yield piece
    for sentence in written:  # the voice ended before its text
        if sentence.began:
            for piece in sentence.ends(rate):
                yield piece


class WrittenSentence:
    """A sentence as far as it is written, and its sound without silence around it but the pause after it."""

    def __init__(self) -> None:
        self.text = ""
        """With the pause that it asks for, as it is written."""
        self._last = SentencePiece("")
        self._told: int | None = None
        """Characters that were given out."""
        self._is_heard = False
        self._trimmer = SilenceTrimmer()

    @property
    def began(self) -> bool:
        """Whether there is some of its text or of its sound."""
        return bool(self.text) or self._is_heard

    def add(self, piece: SentencePiece) -> None:
        """It goes on."""
        self.text += piece.text + piece.mark
        self._last = piece

    def sounds(self, chunk: Chunk) -> Iterator[Piece]:
        """More of its sound."""
        self._is_heard = True
        if trimmed := self._trimmer.push(chunk):
            yield from self._news()
            yield trimmed

    def ends(self, rate: int) -> Iterator[Piece]:
        """Its sound is complete."""
        yield from self._news()
        self._trimmer.pause = pause_after(self.text.removesuffix(self._last.mark))
        if last := self._trimmer.flush():
            yield last
        if self._last.pause:
            yield Chunk.silence(rate, self._last.pause)
        yield ClauseEnded()

    def _news(self) -> Iterator[Piece]:
        """What is new of its text."""
        if self._told is None:
            yield ClauseStarted(self.text)
        elif self._told < len(self.text):
            yield ClauseGrown(self.text[self._told :])
        self._told = len(self.text)


def _stream(speech: Speak) -> SpeakStream:
    return SpeakStream(**{field.name: getattr(speech, field.name) for field in fields(SpeakStream)})
