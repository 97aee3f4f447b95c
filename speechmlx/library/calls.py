"""Calls of `Speech`: what the calls of AsyncSpeech are, for programs without an event loop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from speechmlx.library.call import AsyncCall
from speechmlx.library.loop_thread import LoopThread
from speechmlx.library.results import Recognised, Sound, SpokenAnswer
from speechmlx.types import Chunk, Segment, SpeakerTurn, TextDelta, Word, WordTime

if TYPE_CHECKING:
    from speechmlx.types import Samples

Part = TypeVar("Part")
Whole = TypeVar("Whole")


class Call(Generic[Part, Whole]):
    """A call under way. Iterate for the parts as they come, or take the `result`, which waits for the end.

    The work has begun. Leaving `with` before the end cancels it. Raises the SpeechError that the work failed with;
    after an early close, the result is what came until then.
    """

    def __init__(self, loop: LoopThread, call: AsyncCall[Part, Whole]) -> None:
        """Starts the work. Raises what is wrong with the arguments and the recording."""
        self._loop = loop
        self._call = call
        self._result: Whole | None = None
        loop.run(call.begin())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what is not done. May be called again."""
        self._loop.run(self._call.close())

    def __iter__(self) -> Iterator[Part]:
        return self

    def __next__(self) -> Part:
        try:
            return self._loop.run(_next(self._call))
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def result(self) -> Whole:
        """The whole."""
        if self._result is None:
            self._result = self._loop.run(_all(self._call))
        return self._result


class RecognitionCall(Call[Segment, Recognised]):
    """The recognition of a recording. Its properties wait for the end; iteration gives the segments before."""

    @property
    def text(self) -> str:
        """The text of all segments."""
        return self.result.text

    @property
    def segments(self) -> list[Segment]:
        return self.result.segments

    @property
    def words(self) -> list[Word]:
        """The words with their times in seconds; empty where they were not asked for."""
        return self.result.words

    @property
    def turns(self) -> list[SpeakerTurn]:
        """Who speaks when; empty where speakers are not told apart."""
        return self.result.turns

    @property
    def language(self) -> str | None:
        """The code of the spoken language."""
        return self.result.spoken_language

    @property
    def duration(self) -> float:
        """Seconds of the recording."""
        return self.result.duration

    def format(self, format: str) -> str:
        """As `Recognised.format`: text, json, verbose_json, srt, vtt, tsv or rttm."""
        return self.result.format(format)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """As `Recognised.save`."""
        return self.result.save(path, format)


class SoundCall(Call[Chunk, Sound]):
    """A sound that is being made. Its properties wait for the end; iteration gives the chunks before."""

    @property
    def samples(self) -> Samples:
        """Mono float32 [n]."""
        return self.result.samples

    @property
    def rate(self) -> int:
        """Hz."""
        return self.result.rate

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.result.duration

    @property
    def words(self) -> tuple[WordTime, ...]:
        """When each word is said, in seconds; of `speak` alone."""
        return self.result.words

    def captions(self, format: str = "srt") -> str:
        """As `Sound.captions`: srt or vtt."""
        return self.result.captions(format)

    def encode(self, format: str = "wav") -> bytes:
        """As `Sound.encode`."""
        return self.result.encode(format)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """As `Sound.save`."""
        return self.result.save(path, format)


class AnswerCall(Call[Segment | TextDelta | Chunk, SpokenAnswer]):
    """A spoken answer that is being made. Its properties wait for the end; iteration gives the parts before."""

    @property
    def question(self) -> str:
        """What was heard."""
        return self.result.question

    @property
    def text(self) -> str:
        """The words of the answer."""
        return self.result.text

    @property
    def sound(self) -> Sound:
        return self.result.sound


async def _next(call: AsyncCall[Part, Whole]) -> Part:
    return await anext(call)


async def _all(call: AsyncCall[Part, Whole]) -> Whole:
    return await call
