"""A clause → its speech, with the silence around it cut to the pause that one speaker would make there.

A synthesiser takes each clause for a whole utterance: Kokoro begins with 0.3 s of silence and ends with 0.5 s. The
listener waits for the first sound, and a pause inside a sentence is a stumble.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.settings import Answering
from speechmlx.reading.pauses import edges
from speechmlx.reading.sentences import CLAUSE_STOPS, CLOSERS, STOPS
from speechmlx.types import Chunk, Kind, Priority, Speak, WordTime, WordTimes

SILENCE = 164
"""Magnitude of a PCM16 sample up to which it is silence: -46 dB."""
LEAD = 0.05
"""Seconds kept before the first sound: soft onsets are below SILENCE."""
AFTER_SENTENCE, AFTER_CLAUSE, AFTER_PHRASE = 0.4, 0.25, 0.05
"""Seconds kept after the last sound."""


def build_speech(engines: Engines, answering: Answering) -> Speak | None:
    """How the clauses of an answer are spoken, without a text; None for an answer in text alone.

    Raises UnknownModel and UnknownVoice.
    """
    if not answering.spoken:
        return None
    voice, row = answering.voice, engines.model(None, Kind.TTS)
    return Speak(
        text="",
        voice=row.voices.resolve(voice.name),
        language=voice.language,
        speed=voice.speed,
        pronunciations=voice.pronunciations,
        priority=Priority.REALTIME,
    )


async def speak_clause(engines: Engines, speech: Speak, clause: str) -> AsyncGenerator[Chunk | WordTimes, None]:
    """The audio of `clause`, spoken as `speech` says, and the pause after it. Raises SpeechErrors.

    The words come before their sound, with times of the audio that is given out and places of `clause`. Silence that
    the text asks for (`[pause:1s]`) has its length, at the edges of the clause too.
    """
    before, said, after = edges(clause)
    rate = engines.model(speech.model, Kind.TTS).rate if before or after else 0
    if before:
        yield Chunk.silence(rate, before)
    if said.text.strip() or not rate:
        async with aclosing(_speak_trimmed(engines, speech, said.text)) as pieces:
            async for piece in pieces:
                if isinstance(piece, WordTimes):
                    yield WordTimes(tuple(_moved(word, before, said.start) for word in piece.words))
                else:
                    yield piece
    if after:
        yield Chunk.silence(rate, after)


async def _speak_trimmed(engines: Engines, speech: Speak, text: str) -> AsyncGenerator[Chunk | WordTimes, None]:
    """The audio of `text` without silence around it but the pause after it, and its words."""
    trimmer, words = SilenceTrimmer(pause_after(text)), list[WordTime]()
    before = len(text) - len(text.lstrip())
    async with engines.submit(replace(speech, text=text.strip())) as job:
        async for event in job:
            if isinstance(event, WordTimes):
                words += event.words
            elif isinstance(event, Chunk) and (chunk := trimmer.push(event)):
                if words:
                    yield WordTimes(tuple(_moved(word, -trimmer.cut, before) for word in words))
                    words.clear()
                yield chunk
    if words:
        yield WordTimes(tuple(_moved(word, -trimmer.cut, before) for word in words))
    if last := trimmer.flush():
        yield last


def _moved(word: WordTime, seconds: float, places: int) -> WordTime:
    """The word as it is said `seconds` later, in a text with so many characters more before it."""
    start, end = (max(0.0, at + seconds) for at in (word.start, word.end))
    return replace(word, start=start, end=end, first=word.first + places, last=word.last + places)


def pause_after(text: str) -> float:
    """Seconds of silence that a speaker leaves after `text`, by its last mark."""
    last = text.rstrip().rstrip(CLOSERS)[-1:]
    if (last and last in STOPS) or text.endswith("\n"):
        return AFTER_SENTENCE
    return AFTER_CLAUSE if last and last in CLAUSE_STOPS else AFTER_PHRASE


class SilenceTrimmer:
    """Cuts the silence of one utterance to at most LEAD seconds before its sound and `pause` seconds after it.

    Silence between two sounds comes with the second one. Audio without any sound is not cut.
    """

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self._held = np.zeros(0, "<i2")
        """Samples since the last sound."""
        self._has_sound = False
        self._rate = 0
        self.cut = 0.0
        """Seconds of silence that were cut before the sound."""

    def push(self, chunk: Chunk) -> Chunk | None:
        """Add audio. Returns it up to its last sound; None while it is silent."""
        self._rate = chunk.rate
        held = np.concatenate([self._held, np.frombuffer(chunk.pcm16, "<i2")])
        loud = np.flatnonzero((held > SILENCE) | (held < -SILENCE))
        if not loud.size:
            self._held = held
            return None
        start = 0 if self._has_sound else max(0, int(loud[0]) - round(LEAD * chunk.rate))
        end, self._has_sound = int(loud[-1]) + 1, True
        self._held = held[end:]
        self.cut += start / chunk.rate
        return Chunk(held[start:end].tobytes(), chunk.rate)

    def flush(self) -> Chunk | None:
        """The silence at the end; None where there is none."""
        rest = self._held[: round(self.pause * self._rate)] if self._has_sound else self._held
        return Chunk(rest.tobytes(), self._rate) if rest.size else None
