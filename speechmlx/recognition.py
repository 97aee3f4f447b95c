"""Recognition of whole recordings: one way to run it, and one collector of its events, for every protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from speechmlx.errors import ModelUnavailable, UnknownModel, Unsupported
from speechmlx.jobs.journal import JobJournal, Record, current_journal
from speechmlx.log import current
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.speakers import split_at_speakers
from speechmlx.types import (
    Align,
    Audio,
    Checkpoint,
    Diarize,
    Event,
    Kind,
    KnownSpeaker,
    LanguageDetected,
    Priority,
    Request,
    Segment,
    SpeakerOptions,
    SpeakerTurn,
    Transcribe,
    Usage,
    Word,
)


class Submitter(Protocol):
    """What recognition needs of the runtime."""

    def submit(self, request: Request) -> Job:
        """Start a job. Raises UnknownModel, Busy and Draining."""

    def model(self, name: str | None, kind: Kind | None) -> Model:
        """The row of a name or alias, or the default of `kind`. Raises UnknownModel."""


@dataclass
class RecognitionResult:
    """What was recognised so far in a recording of `duration` seconds."""

    duration: float
    task: str = "transcribe"
    """"transcribe" or "translate"."""
    language: LanguageDetected | None = None
    """The spoken language; None until it is known."""
    segments: list[Segment] = field(default_factory=list)
    turns: list[SpeakerTurn] = field(default_factory=list)
    """Who speaks when; empty where speakers are not told apart."""
    usage: Usage = field(default_factory=Usage)

    def add(self, event: Event) -> None:
        """Add an event of `recognise`."""
        if isinstance(event, Segment):
            self.segments.append(event)
        elif isinstance(event, LanguageDetected):
            self.language = event
        elif isinstance(event, SpeakerTurn):
            self.turns.append(event)
        elif isinstance(event, Usage):
            self.usage = event

    @property
    def text(self) -> str:
        """The text of all segments, without spaces around it."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> list[Word]:
        """The words of all segments; empty where the request did not ask for words."""
        return [word for segment in self.segments for word in segment.words]

    @property
    def spoken_language(self) -> str | None:
        """The code of the spoken language."""
        return None if self.language is None else self.language.language

    @property
    def text_language(self) -> str | None:
        """The code of the text's language, which is English for a translation."""
        return "en" if self.task == "translate" else self.spoken_language

    @property
    def emotion(self) -> str | None:
        """How most of the time is said, where the model tells."""
        return self._mostly([segment.emotion for segment in self.segments])

    @property
    def sound(self) -> str | None:
        """What is heard most of the time, where the model tells."""
        return self._mostly([segment.sound for segment in self.segments])

    def _mostly(self, values: list[str | None]) -> str | None:
        """Of the values of the segments, the one that lasts longest; None where none has one."""
        lasting: dict[str, float] = {}
        for value, segment in zip(values, self.segments, strict=True):
            if value is not None:
                lasting[value] = lasting.get(value, 0.0) + segment.end - segment.start
        return max(lasting, key=lasting.__getitem__, default=None)

    @property
    def confidence(self) -> float:
        """The mean of the segments' confidence, weighted by their lengths. 0 without speech."""
        total = sum(segment.end - segment.start for segment in self.segments)
        if total <= 0:
            return 0.0
        return sum(segment.confidence * (segment.end - segment.start) for segment in self.segments) / total


async def recognise(
    runtime: Submitter, request: Transcribe, speakers: SpeakerOptions | None = None, lenient: bool = False
) -> AsyncGenerator[Event, None]:
    """Recognise the speech of a recording: SpeakerTurn*, LanguageDetected, Segment*, Usage.

    With `speakers` a diarization model finds who speaks when. Then words are timed, and a segment has one speaker.
    `lenient`: where nobody gives times to the words of a recogniser, a segment is one word, which is no error.
    A background job goes on where an earlier run of it was. Close the generator (`contextlib.aclosing`) to cancel the
    work. Raises the SpeechError that a job failed with, and UnknownModel where there is no diarization model.
    """
    turns: list[SpeakerTurn] = []
    asked = replace(request, words=request.words and not lenient)
    aligner = word_aligner(runtime, asked, speakers is not None or lenient)
    language = request.language
    if speakers is not None:
        request = replace(request, words=True)
    journal = current_journal.get()
    if journal is None:
        events = _recognised(runtime, request, speakers, turns)
    else:
        events = _kept(runtime, request, speakers, turns, await _open(journal, runtime, request, speakers))
    said = current()
    async with aclosing(events):
        async for event in events:
            if said is not None and isinstance(event, Segment):
                said.heard(event.text)
            if isinstance(event, LanguageDetected):
                language = event.language
            if aligner is not None and isinstance(event, Segment):
                event = await _timed(runtime, aligner, request, event, language, not asked.words)
            if lenient and isinstance(event, Segment):
                event = _with_words(event)
            if speakers is None or not isinstance(event, Segment):
                yield event
            else:
                for part in split_at_speakers(event, turns):
                    yield part


def word_aligner(runtime: Submitter, request: Transcribe, useful: bool) -> Model | None:
    """The model that gives times to words, where the recogniser tells none and they were asked for or are `useful`.

    Raises Unsupported where there is none for words that were asked for.
    """
    if not (request.words or useful) or not (model := runtime.model(request.model, Kind.ASR)).untimed:
        return None
    try:
        return runtime.model(None, Kind.ALIGN)
    except UnknownModel as error:
        if not request.words:
            return None  # a segment has one speaker then
        raise Unsupported(
            f"{model.name} tells no times of words, and no model is set that gives them: name a model that tells them, "
            f"such as a Whisper, start the server with --align, or ask for no words; {error}"
        ) from error


async def _timed(
    runtime: Submitter, aligner: Model, request: Transcribe, segment: Segment, language: str | None, lenient: bool
) -> Segment:
    """`timed`; where `lenient`, the segment as it is where the aligner lacks the language or a package for it."""
    try:
        return await timed(runtime, aligner, request, segment, language)
    except (Unsupported, ModelUnavailable):
        if not lenient:
            raise
        return segment


def _with_words(segment: Segment) -> Segment:
    """`segment`; where it has text without words, all of it as one word."""
    if segment.words or not any(letter.isalnum() for letter in segment.text):
        return segment
    return replace(segment, words=(Word(segment.text, segment.start, segment.end, segment.confidence),))


async def timed(
    runtime: Submitter, aligner: Model, request: Transcribe, segment: Segment, language: str | None
) -> Segment:
    """`segment` of the recording with its words. Raises what the aligner raises."""
    if segment.words or not any(letter.isalnum() for letter in segment.text):
        return segment
    audio = request.audio
    first, last = (round(second * audio.rate) for second in (segment.start, segment.end))
    piece = await resampled(Audio(audio.samples[first:last], audio.rate), aligner.rate)
    job = runtime.submit(
        Align(model=aligner.name, audio=piece, text=segment.text, language=language, priority=request.priority)
    )
    async with job:
        words = [word async for event in job if isinstance(event, Segment) for word in event.words]
    start = segment.start
    return replace(
        segment, words=tuple(replace(word, start=word.start + start, end=word.end + start) for word in words)
    )


async def _recognised(
    runtime: Submitter, request: Transcribe, speakers: SpeakerOptions | None, turns: list[SpeakerTurn]
) -> AsyncGenerator[Event, None]:
    """Recognise for a client that waits. Fills `turns`."""
    async with AsyncExitStack() as stack:
        if speakers is None:
            job = await stack.enter_async_context(runtime.submit(request))
        else:
            diarize = await _diarize(runtime, request.audio, speakers, request.priority)
            job = await stack.enter_async_context(runtime.submit(request))
            turns += await _speaker_turns(await stack.enter_async_context(runtime.submit(diarize)))
        for turn in turns:
            yield turn
        async for event in job:
            yield event


async def _open(
    journal: JobJournal, runtime: Submitter, request: Transcribe, speakers: SpeakerOptions | None
) -> Record:
    """The record of a recognition, which depends on the models too."""
    model = runtime.model(request.model, Kind.ASR).name
    return await journal.open(replace(request, model=model), request.audio.duration, speakers)


async def _kept(
    runtime: Submitter,
    request: Transcribe,
    speakers: SpeakerOptions | None,
    turns: list[SpeakerTurn],
    record: Record,
) -> AsyncGenerator[Event, None]:
    """Recognise for a background job: what an earlier run found comes first. Fills `turns`."""
    if speakers is not None:
        if record.turns is None:
            record.turns = await _found_speakers(runtime, request.audio, speakers, Priority.BULK)
            record.add_turns(record.turns)
        turns += record.turns
        for turn in turns:
            yield turn
    for event in record.events:
        yield event
    if record.complete:
        return
    rest = replace(request, priority=Priority.BULK, checkpoints=True, resume=record.checkpoint)
    async with runtime.submit(rest) as job:
        async for event in job:
            record.add(event)
            if not isinstance(event, Checkpoint):
                yield event


async def find_speakers(
    runtime: Submitter, audio: Audio, speakers: SpeakerOptions, priority: Priority = Priority.INTERACTIVE
) -> list[SpeakerTurn]:
    """Who speaks when in a recording, without recognising what. Raises as `recognise` does."""
    journal = current_journal.get()
    if journal is None:
        return await _found_speakers(runtime, audio, speakers, priority)
    record = await journal.open(Diarize(audio=audio), audio.duration, speakers)
    if record.turns is None:
        record.turns = await _found_speakers(runtime, audio, speakers, Priority.BULK)
        record.add_turns(record.turns)
    return record.turns


async def _found_speakers(
    runtime: Submitter, audio: Audio, speakers: SpeakerOptions, priority: Priority
) -> list[SpeakerTurn]:
    async with runtime.submit(await _diarize(runtime, audio, speakers, priority)) as job:
        return await _speaker_turns(job)


async def _diarize(runtime: Submitter, audio: Audio, speakers: SpeakerOptions, priority: Priority) -> Diarize:
    """The recording, and those of known speakers, at the rate that the diarization model takes."""
    rate = runtime.model(None, Kind.DIARIZE).rate
    known = [KnownSpeaker(one.name, await resampled(one.audio, rate)) for one in speakers.known]
    return Diarize(
        audio=await resampled(audio, rate), speakers=replace(speakers, known=tuple(known)), priority=priority
    )


async def resampled(audio: Audio, rate: int) -> Audio:
    if audio.rate == rate:
        return audio
    from speechmlx.audio.resample import resample  # here: the server starts without numpy

    return Audio(await asyncio.to_thread(resample, audio.samples, audio.rate, rate), rate)


async def _speaker_turns(job: Job) -> list[SpeakerTurn]:
    return [event async for event in job if isinstance(event, SpeakerTurn)]


async def recognise_all(
    runtime: Submitter, request: Transcribe, speakers: SpeakerOptions | None = None, lenient: bool = False
) -> RecognitionResult:
    """Recognise the whole recording, as `recognise` does. Raises the SpeechError that a job failed with."""
    result = RecognitionResult(request.audio.duration, request.task)
    async with aclosing(recognise(runtime, request, speakers, lenient)) as events:
        async for event in events:
            result.add(event)
    return result
