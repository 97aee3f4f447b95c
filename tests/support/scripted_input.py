"""The models of the input half without a process: what they find is written in the loudness of the samples.

A sample of more than 0.1 is speech. The recogniser hears a word for each half second of speech. Who speaks is how loud:
speaker "1" above 0.7, else "0".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import EngineLost, SpeechError, UnknownModel
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.ipc.messages import CancelJob, Input, Start
from speechmlx.types import (
    Chunk,
    DetectSpeech,
    DetectTurn,
    DiarizeStream,
    End,
    Enhance,
    Event,
    Feed,
    Hypothesis,
    Kind,
    LanguageDetected,
    Listen,
    Load,
    Probability,
    Request,
    Segment,
    SpeakerTurn,
    Transcribe,
    Word,
)

RATE = 16000
FRAME = 512
"""Samples of a frame of the speech detector."""
WORD = RATE // 2
"""Samples of a word."""


LISTENER = "fake-listener"
"""A recogniser for live words, whose words begin with l and not with w."""


def word(number: int, start: float, letter: str = "w") -> Word:
    return Word(f" {letter}{number}", start, start + 0.5, 0.9)


class Stream:
    """A streaming request in the engine process's place: samples in, events out."""

    def __init__(self, request: Request, frame: int = FRAME) -> None:
        self._request = request
        self._frame = frame
        self._samples = np.zeros(0, np.float32)
        self._position = 0
        self._words = count(1)
        self._letter = "l" if request.model == LISTENER else "w"
        self._tail: tuple[Word, ...] = ()

    def feed(self, samples: np.ndarray) -> Iterator[Event]:
        if isinstance(self._request, Enhance):
            yield Chunk(to_pcm16(samples), RATE)
            return
        size = self._frame if isinstance(self._request, DetectSpeech | DiarizeStream) else WORD
        self._samples = np.concatenate([self._samples, samples])
        while len(self._samples) >= size:
            frame, self._samples = self._samples[:size], self._samples[size:]
            start, self._position = self._position / RATE, self._position + size
            level = float(np.abs(frame).mean())
            is_speech = level > 0.1
            if isinstance(self._request, DiarizeStream):
                yield SpeakerTurn(start, self._position / RATE, ("1" if level > 0.7 else "0") if is_speech else "")
                continue
            if isinstance(self._request, DetectSpeech):
                yield Probability(float(is_speech), start, self._position / RATE)
            elif is_speech:
                committed, self._tail = self._tail, (word(next(self._words), start, self._letter),)
                yield Hypothesis(committed, self._tail)

    def end(self) -> Iterator[Event]:
        if self._tail:
            yield Hypothesis(self._tail, ())


class ScriptedInput:
    """`Engines` of a conversation. `live`: the recogniser takes streams. `frame`: samples of a detector's frame.

    `listener`: LISTENER is there, too, and gives live words by default.
    """

    def __init__(self, live: bool = True, frame: int = FRAME, listener: bool = False) -> None:
        self.live = live
        self._listener = listener
        self._frame = frame
        self.fails: dict[Kind, SpeechError] = {}
        """Kinds of models that fail, and with what."""
        self.jobs: list[Job] = []
        self._streams: dict[int, Stream] = {}
        self._ids = count(1)

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        own = f"fake-{kind}"
        if self._listener and kind is Kind.ASR and (name == LISTENER or (live and name is None)):
            own = LISTENER
        if kind is None or kind is Kind.S2S or name not in (None, own):
            raise UnknownModel(f"there is no {kind} model {name!r}")
        return Model(name=own, kind=kind, engine="none:load", sources=(), size=0, memory=0, rate=RATE, licence="none")

    def submit(self, request: Request) -> Job:
        kind = request.kind or Kind.ASR
        job = Job(next(self._ids), replace(request), self.model(None, kind), self._on_message, lambda job: None)
        self.jobs.append(job)
        job.start("")
        job.on_begun()
        return job

    def lose(self, of: type[Request], retry_after: float | None = None) -> None:
        """The engine process ends, or does not come up: open jobs with a request of this class fail."""
        for job in self.jobs:
            if isinstance(job.request, of) and not job.ended:
                self._streams.pop(job.id, None)
                job.finish_with(EngineLost("the engine process ended", retry_after=retry_after))

    def requests(self, of: type[Request]) -> list[Any]:
        """The requests of one class, in order."""
        return [job.request for job in self.jobs if isinstance(job.request, of)]

    @property
    def open_jobs(self) -> int:
        return sum(not job.ended for job in self.jobs)

    def _on_message(self, message: object) -> None:
        match message:
            case Start(id, request):
                self._start(self.jobs[id - 1], request)
            case Input(id, command):
                self._input(self.jobs[id - 1], command)
            case CancelJob(id):
                self._streams.pop(id, None)
                self.jobs[id - 1].finish_with(None)

    def _start(self, job: Job, request: Request) -> None:
        if (error := self.fails.get(job.model.kind)) is not None:
            job.finish_with(error)
        elif isinstance(request, Listen) and not self.live:
            from speechmlx.errors import Unsupported

            job.finish_with(Unsupported("no streams"))
        elif type(request).streams:
            self._streams[job.id] = Stream(request, self._frame)
        else:
            for event in ANSWERS.get(type(request), lambda request: ())(request):
                job.on_output(event)
            job.finish_with(None)

    def _input(self, job: Job, command: object) -> None:
        stream = self._streams.get(job.id)
        if stream is None or job.ended:
            return
        if isinstance(command, Feed):
            events = stream.feed(command.samples)
        else:
            assert isinstance(command, End)
            events = stream.end()
        for event in events:
            job.on_output(event)
        job.on_input_consumed(1)
        if isinstance(command, End):
            del self._streams[job.id]
            job.finish_with(None)


def _transcribe(request: Transcribe) -> Iterator[Event]:
    yield LanguageDetected("en", 0.75)
    stream = Stream(Listen())
    words = [*stream.feed(request.audio.samples), *stream.end()]
    heard = tuple(word for hypothesis in words if isinstance(hypothesis, Hypothesis) for word in hypothesis.committed)
    if heard:
        text = "".join(word.text for word in heard)
        yield Segment(text, heard[0].start, heard[-1].end, 0.9, words=heard if request.words else ())


ANSWERS: dict[type[Request], Callable[[Any], Any]] = {
    Transcribe: _transcribe,
    DetectTurn: lambda request: [Probability(0.9, 0.0, request.audio.duration)],
    Load: lambda request: (),
}


def speech(seconds: float, level: float = 0.5) -> np.ndarray:
    return np.full(round(seconds * RATE), level, np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)
