"""A scripted voice that takes text while it is written: 100 ms of tone for each word, as soon as its end is known.

Its name says what it does, as that of scripted_conversation's voice does; like that one it does not say "mute". It
tells no times of words.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.scripted_conversation import SPEECH_RATE, WORD_SECONDS, Script, tone

from speechmlx.engines import LoadOptions
from speechmlx.errors import BadRequest
from speechmlx.types import Chunk, Event, NamedVoice, Progress, Request, SpeakStream, TextFlushed, Usage


class TextSpeaker:
    nbytes = 1_000_000

    def open(self, request: Request) -> SpokenWords:
        assert isinstance(request, SpeakStream)
        voice = request.voice.name if isinstance(request.voice, NamedVoice) else None
        return SpokenWords(Script.read(voice))


@dataclass
class SpokenWords:
    script: Script
    rest: str = ""
    said: int = 0

    def feed_text(self, text: str) -> Iterator[Event | None]:
        self.rest += text
        while word := re.match(r"\s*\S+(?=\s)", self.rest):
            self.rest = self.rest[word.end() :]
            if "mute" in word[0]:
                raise BadRequest(f"nothing in the text can be said: {word[0].strip()!r}")
            self.script.step(self.said)
            self.said += 1
            yield Chunk(tone(WORD_SECONDS, self.script.level), SPEECH_RATE)

    def flush_text(self) -> Iterator[Event | None]:
        yield from self.feed_text(" ")
        self.rest = ""
        yield TextFlushed()

    def finish(self) -> Iterator[Event | None]:
        yield from self.feed_text(" ")
        yield Usage(audio_out=self.said * WORD_SECONDS)

    def close(self) -> None:
        pass


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, TextSpeaker]:
    yield Progress("load", 1, 1)
    return TextSpeaker()
