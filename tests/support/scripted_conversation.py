"""Scripted engines for a whole conversation: speech is a tone, and its words are its length.

- VAD: a frame whose mean level is above THRESHOLD is speech.
- Turn detection: a turn is finished if the last 100 ms of its speech are louder than LOUD.
- ASR: one word per 100 ms of speech. With the prompt "mute" there are no words.
- LLM: repeats the question, or calls its first tool. "say A|B" makes it answer with the text deltas A and B, "recall"
  with all that was said before.
- TTS: 100 ms of tone for each word.

Words of the form "name=value" set timing and faults: `work` (seconds per step) and `fail` (step that raises) in the
instructions (LLM), the voice (TTS, which also takes `level`) or the prompt (ASR).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from support.scripted import Scripted
from support.scripted_duplex import VOICES

from speechmlx.engines import LoadOptions
from speechmlx.errors import BadRequest, UnknownVoice
from speechmlx.markup.answer import AnswerParser
from speechmlx.models.spec import IndexFiles, Model
from speechmlx.types import (
    Chunk,
    DetectSpeech,
    DetectTurn,
    Event,
    Generate,
    Hypothesis,
    Kind,
    Listen,
    NamedVoice,
    Probability,
    Progress,
    Request,
    Respond,
    Segment,
    Speak,
    TextDelta,
    Transcribe,
    Usage,
    Voice,
    Word,
    WordTime,
    WordTimes,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE, SPEECH_RATE, FRAME, BLOCK = 16000, 24000, 512, 160
THRESHOLD, LOUD = 0.01, 0.5
WORD_SECONDS = 0.1
BLOCKS_PER_WORD = round(WORD_SECONDS * RATE / BLOCK)
GATE = "TALKING_GATE"
NUMBERS = "zero one two three four five six seven eight nine ten".split()

HERE, DUPLEX = "support.scripted_conversation", "support.scripted_duplex"
ROW = Model(
    name="talking-asr",
    kind=Kind.ASR,
    engine=f"{HERE}:load_asr",
    sources=(IndexFiles((), "support.scripted:convert"),),
    size=0,
    memory=1_000_000,
    rate=RATE,
    licence="none",
)
ROWS = (
    ROW,
    replace(ROW, name="talking-live", engine=f"{HERE}:load_live"),
    replace(ROW, name="talking-vad", kind=Kind.VAD, engine=f"{HERE}:load_vad"),
    replace(ROW, name="talking-nowhere", kind=Kind.VAD, sources=()),
    replace(ROW, name="judging-nowhere", kind=Kind.TURN, sources=()),
    replace(ROW, name="talking-turn", kind=Kind.TURN, engine=f"{HERE}:load_turn"),
    replace(ROW, name="talking-llm", kind=Kind.LLM, engine=f"{HERE}:load_llm", rate=0),
    replace(ROW, name="talking-late", kind=Kind.LLM, engine=f"{HERE}:load_late", rate=0),
    replace(ROW, name="enhance-late", kind=Kind.ENHANCE, engine=f"{HERE}:load_late_enhance", rate=SPEECH_RATE),
    replace(ROW, name="talking-s2s", kind=Kind.S2S, engine=f"{HERE}:load_s2s", rate=SPEECH_RATE),
    replace(ROW, name="talking-duplex", kind=Kind.S2S, engine=f"{DUPLEX}:load", rate=24000, duplex=True, voices=VOICES),
    replace(ROW, name="talking-tts", kind=Kind.TTS, engine=f"{HERE}:load_tts", rate=SPEECH_RATE),
    replace(
        ROW,
        name="talking-text",
        kind=Kind.TTS,
        engine="support.scripted_text_voice:load",
        rate=SPEECH_RATE,
        streams_text=True,
    ),
)
MODELS = (
    ",".join(f"{kind}=talking-{kind}" for kind in ("asr", "vad", "turn", "llm", "tts")) + ",enhance=scripted-enhance"
)
"""The value of SPEECHMLX_MODELS that makes these engines the defaults."""
LIVE_MODELS = MODELS.replace("asr=talking-asr", "asr=talking-live")
"""The same with recognition that gives words while the person speaks."""


def tone(seconds: float, level: float = 0.8, rate: int = SPEECH_RATE) -> bytes:
    """A sine of 440 Hz as PCM16 at `rate` Hz, which these engines take as speech; silence at level 0."""
    time_axis = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 440 * time_axis) * level * 32767).astype("<i2").tobytes()


def words(seconds: float) -> str:
    """The transcript of `seconds` of tone."""
    return " ".join(NUMBERS[n % 11] for n in range(1, round(seconds / WORD_SECONDS) + 1))


@dataclass(frozen=True)
class Script:
    work: float = 0.0
    fail: int = -1
    level: float = 0.8

    @classmethod
    def read(cls, text: str | None) -> Script:
        values = dict(word.split("=", 1) for word in (text or "").split() if "=" in word)
        return cls(float(values.get("work", 0.0)), int(values.get("fail", -1)), float(values.get("level", 0.8)))

    def step(self, number: int) -> None:
        if self.work:
            time.sleep(self.work)
        if number == self.fail:
            raise RuntimeError(f"scripted to fail at step {number}")


class Transcriber:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Transcribe)
        Script.read(request.prompt).step(0)
        audio = request.audio
        loud = np.flatnonzero(np.abs(audio.samples) > THRESHOLD)
        seconds = (loud[-1] - loud[0]) / audio.rate if len(loud) else 0.0
        yield None
        if (text := words(seconds)) and request.prompt != "mute":
            first = loud[0] / audio.rate
            timed = tuple(
                Word(f" {word}", first + n * WORD_SECONDS, first + (n + 1) * WORD_SECONDS, 0.9)
                for n, word in enumerate(text.split())
            )
            yield Segment(f" {text}", 0.0, audio.duration, 0.9, words=timed if request.words else ())
        yield Usage(audio_in=audio.duration)


class LiveRecogniser(Transcriber):
    def open(self, request: Request) -> Live:
        assert isinstance(request, Listen)
        return Live()


@dataclass
class Live:
    """Writes a word for every 100 ms of speech, where that is in the audio; commits a word when the next one begins."""

    loud: list[int] = field(default_factory=list)
    """Indices of the blocks of speech, without those of committed words."""
    blocks: int = 0
    said: int = 0
    rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def feed(self, samples: Samples) -> Iterator[Event | None]:
        self.rest = np.concatenate([self.rest, samples])
        blocks = self.rest[: len(self.rest) // BLOCK * BLOCK].reshape(-1, BLOCK)
        self.rest = self.rest[blocks.size :]
        self.loud += [self.blocks + int(index) for index in np.flatnonzero(np.abs(blocks).max(axis=1) > THRESHOLD)]
        self.blocks += len(blocks)
        yield self._hypothesis(max(0, len(self.loud) - 1) // BLOCKS_PER_WORD)

    def finish(self) -> Iterator[Event | None]:
        yield self._hypothesis(len(self.loud) // BLOCKS_PER_WORD)

    def close(self) -> None:
        pass

    def _hypothesis(self, fresh: int) -> Hypothesis:
        """Commits `fresh` words more."""
        committed = tuple(self._word(n) for n in range(fresh))
        tail = (self._word(fresh),) if len(self.loud) > fresh * BLOCKS_PER_WORD else ()
        self.said += fresh
        del self.loud[: fresh * BLOCKS_PER_WORD]
        return Hypothesis(committed, tail)

    def _number(self, n: int) -> int:
        return (self.said + n + 1) % 11

    def _word(self, n: int) -> Word:
        """The word after `n` that are not committed."""
        blocks = self.loud[n * BLOCKS_PER_WORD : (n + 1) * BLOCKS_PER_WORD]
        return Word(f" {NUMBERS[self._number(n)]}", blocks[0] * BLOCK / RATE, (blocks[-1] + 1) * BLOCK / RATE, 0.9)


class SpeechDetector:
    nbytes = 1_000_000

    def open(self, request: Request) -> Detecting:
        assert isinstance(request, DetectSpeech)
        return Detecting()


@dataclass
class Detecting:
    frames: int = 0
    rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def feed(self, samples: Samples) -> Iterator[Event | None]:
        self.rest = np.concatenate([self.rest, samples])
        while len(self.rest) >= FRAME:
            frame, self.rest = self.rest[:FRAME], self.rest[FRAME:]
            start, self.frames = self.frames * FRAME / RATE, self.frames + 1
            yield Probability(float(np.abs(frame).mean() > THRESHOLD), start, start + FRAME / RATE)

    def finish(self) -> Iterator[Event | None]:
        yield None

    def close(self) -> None:
        pass


class TurnDetector:
    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, DetectTurn)
        samples = request.audio.samples
        loud = np.flatnonzero(np.abs(samples) > THRESHOLD)
        last = samples[max(0, loud[-1] - 1600) : loud[-1]] if len(loud) else samples
        finished = len(last) and np.abs(last).max() > LOUD
        yield Probability(0.95 if finished else 0.05, 0.0, request.audio.duration)


@dataclass
class Writing:
    pieces: list[str]
    answer: AnswerParser
    script: Script
    tokens_in: int
    limit: int
    said: int = 0
    finished: bool = False


class Writer:
    """Writes a word per step, for up to four requests at once."""

    nbytes = 1_000_000
    max_batch = 4

    def begin(self, request: Request) -> Writing:
        assert isinstance(request, Generate)
        script = Script.read(request.messages[0].content)
        tokens = sum(len(message.content.split()) for message in request.messages)
        answer = AnswerParser([str(tool["name"]) for tool in request.tools])
        return Writing(_reply(request), answer, script, tokens, request.max_tokens)

    def step(self, states: Sequence[Writing]) -> list[list[Event | Exception]]:
        return [self._step(state) for state in states]

    def _step(self, state: Writing) -> list[Event | Exception]:
        try:
            state.script.step(state.said)
        except RuntimeError as error:
            return [error]
        said: list[Event | Exception] = [*state.answer.push(state.pieces[state.said])]
        state.said += 1
        state.finished = state.said in (len(state.pieces), state.limit)
        cut_off = state.finished and state.said < len(state.pieces)
        if state.finished:
            said += state.answer.flush(cut_off)
        if state.finished or state.said == 1:
            said.append(Usage(tokens_in=state.tokens_in, tokens_out=state.said, cut_off=cut_off))
        return said

    def end(self, state: Writing) -> None:
        pass


def _reply(request: Request) -> list[str]:
    assert isinstance(request, Generate)
    last = request.messages[-1]
    if last.content.startswith("say "):
        return last.content.removeprefix("say ").split("|")
    if last.content == "recall":
        return [" / ".join(message.content for message in request.messages[:-1])]
    if request.tools and last.role == "user":
        call: dict[str, Any] = {"name": request.tools[0]["name"], "arguments": {"city": "Paris"}}
        text = f"<tool_call>\n{json.dumps(call)}\n</tool_call>"
    elif last.role == "tool":
        text = f"The tool said: {last.content}. That is all."
    else:
        text = f"You said: {last.content}. Well, that is what I heard. Was there anything else, my friend? I am here."
    words = text.split(" ")
    return [f"{word} " for word in words[:-1]] + words[-1:]


class Speaker:
    """Speaks each word as a chunk of 100 ms of tone and tells its time, and signs alone as a silence."""

    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Speak)
        script = Script.read(_name(request.voice))
        if "mute" in request.text:
            raise BadRequest(f"nothing in the text can be said: {request.text!r}")
        if not any(map(str.isalnum, request.text)):
            yield Chunk.silence(SPEECH_RATE)
            return
        words, seconds = list(re.finditer(r"\S+", request.text)), WORD_SECONDS / request.speed
        for number, word in enumerate(words):
            script.step(number)
            yield WordTimes((WordTime(word[0], number * seconds, (number + 1) * seconds, *word.span()),))
            yield Chunk(tone(seconds, script.level), SPEECH_RATE)
            yield None
        yield Usage(audio_out=len(words) * WORD_SECONDS)


class Answerer:
    """Speech to speech: answers with two clauses, 100 ms of tone for each of their words."""

    nbytes = 1_000_000

    def run(self, request: Request) -> Iterator[Event | None]:
        assert isinstance(request, Respond)
        if request.voice not in (None, NamedVoice("natf2")):
            raise UnknownVoice(f"no voice {_name(request.voice)!r}")
        heard = f"You asked for {request.audio.duration:.1f} seconds. "
        for text in (heard, "That is all."):
            yield TextDelta(text)
            for _ in text.split():
                yield Chunk(tone(WORD_SECONDS), SPEECH_RATE)
                yield None
        yield Usage(tokens_in=3, tokens_out=7)


def _name(voice: Voice | None) -> str | None:
    return voice.name if isinstance(voice, NamedVoice) else None


Loading = Generator[Progress, None, Any]


def _loader(engine: type) -> Any:
    def load(folder: Path, options: LoadOptions) -> Loading:
        yield Progress("load", 1, 1)
        return engine()

    return load


def load_late(folder: Path, options: LoadOptions) -> Loading:
    """Loads the language model once the file exists that the environment variable GATE names."""
    yield from _gate()
    return Writer()


def load_late_enhance(folder: Path, options: LoadOptions) -> Loading:
    yield from _gate()
    return Scripted()


def _gate() -> Iterator[Progress]:
    while not Path(os.environ[GATE]).exists():
        time.sleep(0.02)
        yield Progress("load", 0, 1)


load_asr, load_live, load_vad = _loader(Transcriber), _loader(LiveRecogniser), _loader(SpeechDetector)
load_s2s = _loader(Answerer)
load_turn, load_llm, load_tts = _loader(TurnDetector), _loader(Writer), _loader(Speaker)
