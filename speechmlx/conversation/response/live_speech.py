"""The speech of a text by a voice that takes it while it is written: one job for all of its sentences."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import fields

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.response.answer import ClauseEnded, ClauseGrown, ClauseStarted, Piece
from speechmlx.conversation.response.sentences import SentencePiece
from speechmlx.conversation.response.synthesis import SilenceTrimmer, pause_after
from speechmlx.conversation.response.written_text import SentenceReader, TimedText
from speechmlx.errors import BadRequest
from speechmlx.types import Chunk, Command, Event, FeedText, FlushText, Kind, Speak, SpeakStream, TextFlushed


async def speak_sentences(
    engines: Engines, speech: Speak, text: AsyncIterator[TimedText]
) -> AsyncGenerator[Piece, None]:
    """`speak_written` by such a voice; each sentence is a clause that may grow.

    A sentence that cannot be spoken ends the job; another one goes on behind it, unless that has no word to say.
    """
    rate, reader, has_spoken = engines.model(speech.model, Kind.TTS).rate, SentenceReader(text), False
    while await reader.ready():
        if has_spoken and reader.next.is_mute:
            for piece in WrittenSentence(reader.take()).ends(rate):
                yield piece
            continue
        said, has_spoken = LiveSentences(reader, rate), True
        try:
            async with engines.submit(_stream(speech)).fed_by(said.commands()) as job:
                async for event in job:
                    for piece in said.pieces(event):
                        yield piece
        except BadRequest as error:
            for piece in await said.refuse(error):
                yield piece
        else:
            for piece in said.rest():
                yield piece
            if not said.is_complete:
                return  # the voice ended before its text


class LiveSentences:
    """The sentences that one job says. `rate`: of its audio, in Hz."""

    def __init__(self, reader: SentenceReader, rate: int) -> None:
        self.is_complete = False
        """The job has got all that it is to say."""
        self._reader = reader
        self._rate = rate
        self._written = deque([WrittenSentence()])
        """The sentence that is being spoken, and those after it; the last one has no end yet."""

    async def commands(self) -> AsyncGenerator[Command, None]:
        """What the job is fed, until the text is over or pauses for long."""
        while await self._reader.ready(for_job=True):
            piece = self._reader.take()
            self._written[-1].add(piece)
            if piece.text:
                yield FeedText(piece.text)
            if piece.ends:
                self._written.append(WrittenSentence())
                yield FlushText()
        self.is_complete = True

    def pieces(self, event: Event) -> Iterator[Piece]:
        """What is made of an event of the job."""
        if isinstance(event, Chunk):
            yield from self._written[0].sounds(event)
        elif isinstance(event, TextFlushed):
            yield from self._written.popleft().ends(self._rate)

    def rest(self) -> Iterator[Piece]:
        """What is left at the job's end."""
        for sentence in self._written:
            if sentence.began:
                yield from sentence.ends(self._rate)

    async def refuse(self, error: BadRequest) -> Iterator[Piece]:
        """Leave the sentence out that the job ended with, once it is written. The reader has those behind it again."""
        sentence = self._written.popleft()
        self._reader.put_back(piece for later in self._written for piece in later.pieces)
        while not sentence.is_whole and await self._reader.ready():
            sentence.add(self._reader.take())
        return sentence.ends(self._rate, error)


class WrittenSentence:
    """A sentence as far as it is written, and its sound without silence around it but the pause after it."""

    def __init__(self, *pieces: SentencePiece) -> None:
        self.pieces = list(pieces)
        self._told: int | None = None
        """Characters that were given out."""
        self._is_heard = False
        self._trimmer = SilenceTrimmer()

    @property
    def text(self) -> str:
        """With the pause that it asks for, as it is written."""
        return "".join(piece.text + piece.mark for piece in self.pieces)

    @property
    def began(self) -> bool:
        """Whether there is some of its text or of its sound."""
        return bool(self.pieces) or self._is_heard

    @property
    def is_whole(self) -> bool:
        """Whether its end is written."""
        return bool(self.pieces) and self.pieces[-1].ends

    def add(self, piece: SentencePiece) -> None:
        """It goes on."""
        self.pieces.append(piece)

    def sounds(self, chunk: Chunk) -> Iterator[Piece]:
        """More of its sound."""
        self._is_heard = True
        if trimmed := self._trimmer.push(chunk):
            yield from self._news()
            yield trimmed

    def ends(self, rate: int, refused: BadRequest | None = None) -> Iterator[Piece]:
        """Its sound is complete, or the rest of it was `refused`."""
        last = self.pieces[-1] if self.pieces else SentencePiece("")
        yield from self._news()
        self._trimmer.pause = pause_after(self.text.removesuffix(last.mark))
        if sound := self._trimmer.flush():
            yield sound
        if last.pause and refused is None:
            yield Chunk.silence(rate, last.pause)
        yield ClauseEnded(refused or last.refused)

    def _news(self) -> Iterator[Piece]:
        """What is new of its text."""
        text = self.text
        if self._told is None:
            yield ClauseStarted(text)
        elif self._told < len(text):
            yield ClauseGrown(text[self._told :])
        self._told = len(text)


def _stream(speech: Speak) -> SpeakStream:
    return SpeakStream(**{field.name: getattr(speech, field.name) for field in fields(SpeakStream)})
