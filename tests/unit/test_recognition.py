"""Recognition: the events of a job, and the collector of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from speechmlx.errors import EngineFailed, ModelUnavailable, SpeechError, UnknownModel, Unsupported
from speechmlx.jobs.journal import JobJournal, current_journal
from speechmlx.models.spec import Model
from speechmlx.recognition import RecognitionResult, find_speakers, recognise, recognise_all
from speechmlx.runtime.front.job import Job
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

MODEL = Model(name="m", kind=Kind.ASR, engine="none:load", sources=(), size=0, memory=0, rate=8000, licence="none")
REQUEST = Transcribe(model="m", audio=Audio(np.zeros(16000, np.float32), 8000))
WORDS = (Word(" One", 0.0, 0.4, 0.9), Word(" two.", 0.4, 1.0, 0.8))
EVENTS: tuple[Event, ...] = (
    LanguageDetected("fr", 0.9),
    Segment(" One two.", 0.0, 1.0, 0.9, WORDS),
    Segment(" Three.", 1.0, 2.0, 0.5),
    Usage(audio_in=2.0, tokens_out=7),
)


TURNS = (SpeakerTurn(0.0, 0.5, "A"), SpeakerTurn(0.4, 1.8, "B"), Usage(audio_in=2.0))


class FakeRuntime:
    """Answers every request with the same events, and then with the end or an error."""

    def __init__(self, events: Iterable[Event] = EVENTS, error: SpeechError | None = None, ends: bool = True) -> None:
        self.jobs: list[Job] = []
        self.turns: tuple[Event, ...] = TURNS
        self._events, self._error, self._ends = tuple(events), error, ends

    def model(self, name: str | None, kind: Kind | None) -> Model:
        return replace(MODEL, rate=16000)

    def submit(self, request: Request) -> Job:
        events = self.turns if isinstance(request, Diarize) else self._events
        job = Job(len(self.jobs), request, MODEL, lambda message: None, lambda job: None)
        job.start("/folder")
        for event in events:
            job.on_output(event)
        if self._ends:
            job.finish_with(self._error)
        self.jobs.append(job)
        return job


async def test_events_come_in_order() -> None:
    async with aclosing(recognise(FakeRuntime(), REQUEST)) as events:
        assert [event async for event in events] == list(EVENTS)


async def test_a_reader_that_stops_early_cancels_the_job() -> None:
    runtime = FakeRuntime(ends=False)
    async with aclosing(recognise(runtime, REQUEST)) as events:
        assert await anext(events) == EVENTS[0]
    assert [job.outcome for job in runtime.jobs] == ["cancelled"]


async def test_a_result_has_all_that_was_recognised() -> None:
    result = await recognise_all(FakeRuntime(), REQUEST)
    assert (result.duration, result.task, result.text) == (2.0, "transcribe", "One two. Three.")
    assert (result.language, result.spoken_language, result.text_language) == (EVENTS[0], "fr", "fr")
    assert (result.words, result.usage) == (list(WORDS), EVENTS[-1])


async def test_an_error_is_raised() -> None:
    with pytest.raises(EngineFailed, match="no"):
        await recognise_all(FakeRuntime(EVENTS[:2], EngineFailed("no")), REQUEST)


def test_the_text_of_a_translation_is_english() -> None:
    result = RecognitionResult(1.0, "translate", LanguageDetected("fr", 0.9))
    assert (result.spoken_language, result.text_language) == ("fr", "en")
    assert RecognitionResult(1.0).text_language is None


@pytest.mark.parametrize(
    ("segments", "expected"),
    [([], 0.0), ([(0, 2, 0.5)], 0.5), ([(0, 3, 1.0), (3, 4, 0.2)], 0.8), ([(1, 1, 0.9)], 0.0)],
)
def test_confidence_is_weighted_by_length(segments: list[tuple[float, float, float]], expected: float) -> None:
    made = [Segment(" x", start, end, value) for start, end, value in segments]
    assert RecognitionResult(10.0, segments=made).confidence == pytest.approx(expected)


async def test_segments_have_one_speaker_each_and_words_name_theirs() -> None:
    runtime = FakeRuntime()
    options = SpeakerOptions((KnownSpeaker("A", Audio(np.zeros(8000, np.float32), 8000)),), 2)
    result = await recognise_all(runtime, REQUEST, options)
    assert [(segment.text, segment.speaker) for segment in result.segments] == [
        (" One", "A"),
        (" two.", "B"),
        (" Three.", "B"),
    ]
    assert [word.speaker for word in result.words] == ["A", "B"]
    assert result.turns == list(TURNS[:2]) and result.text == "One two. Three."
    transcribed, diarized = (job.request for job in runtime.jobs)
    assert isinstance(transcribed, Transcribe) and transcribed.words
    assert isinstance(diarized, Diarize) and diarized.speakers.max_speakers == 2
    assert (diarized.audio.rate, diarized.audio.duration) == (16000, 2.0)
    assert [(known.name, known.audio.rate, known.audio.duration) for known in diarized.speakers.known] == [
        ("A", 16000, 1.0)
    ]


async def test_speakers_are_found_without_recognising_anything() -> None:
    runtime = FakeRuntime()
    assert await find_speakers(runtime, REQUEST.audio, SpeakerOptions()) == list(TURNS[:2])
    assert [type(job.request) for job in runtime.jobs] == [Diarize]


# --- Background jobs ---------------------------------------------------------------------------------------------


class BreakingRuntime(FakeRuntime):
    """Its recognitions fail behind their events."""

    def submit(self, request: Request) -> Job:
        self._error = EngineFailed("broken") if isinstance(request, Transcribe) else None
        return super().submit(request)


class Lines:
    """A `JournalStore` in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, list[str]] = {}

    async def save(self, entries: Sequence[tuple[int, str]], done: float, total: float | None) -> None:
        for recognition, line in entries:
            self.kept.setdefault(recognition, []).append(line)

    async def drop(self, recognition: int) -> None:
        del self.kept[recognition]


async def run_job(lines: Lines, runtime: FakeRuntime, speakers: SpeakerOptions | None = None) -> list[Event]:
    """The events that a job's recognition gives before its end or its error."""
    journal = JobJournal(lines, lines.kept)
    token = current_journal.set(journal)
    found = []
    try:
        async for event in recognise(runtime, REQUEST, speakers):
            found.append(event)
    except SpeechError:
        pass
    finally:
        current_journal.reset(token)
        await journal.close()
    return found


@pytest.mark.parametrize("speakers", [None, SpeakerOptions()])
async def test_a_job_goes_on_behind_its_last_checkpoint(speakers: SpeakerOptions | None) -> None:
    place, whole = Checkpoint(1.0, "1"), await run_job(Lines(), FakeRuntime(), speakers)
    lines, broken = Lines(), BreakingRuntime((*EVENTS[:2], place, EVENTS[2]))
    assert await run_job(lines, broken, speakers) == whole[: len(whole) - 1]
    rest = FakeRuntime(EVENTS[2:])
    assert await run_job(lines, rest, speakers) == whole
    (job,) = rest.jobs  # who speaks when is not looked for again
    assert isinstance(job.request, Transcribe) and job.request.resume == place
    assert {one.request.priority for one in (*broken.jobs, job)} == {Priority.BULK}
    again = FakeRuntime(())
    assert await run_job(lines, again, speakers) == whole and not again.jobs


async def test_a_job_looks_for_speakers_once() -> None:
    lines, runtime = Lines(), FakeRuntime()
    found = []
    for _ in range(2):
        journal = JobJournal(lines, lines.kept)
        token = current_journal.set(journal)
        found.append(await find_speakers(runtime, REQUEST.audio, SpeakerOptions()))
        current_journal.reset(token)
        await journal.close()
    assert found == [list(TURNS[:2])] * 2
    (job,) = runtime.jobs
    assert job.request.priority == Priority.BULK


class AligningRuntime(FakeRuntime):
    """Its recogniser tells no times of words; its aligner says each word for a tenth of a second, if it has one."""

    def __init__(self, has_aligner: bool = True) -> None:
        super().__init__((LanguageDetected("fr", 0.9), Segment("One two.", 0.5, 1.5, 0.9), Segment(" ... ", 1.5, 2, 1)))
        self.asked: list[Align] = []
        self._has_aligner = has_aligner

    def model(self, name: str | None, kind: Kind | None) -> Model:
        if kind is not Kind.ALIGN:
            return replace(MODEL, untimed=True)
        if not self._has_aligner:
            raise UnknownModel("profile 'test' has no align model")
        return replace(MODEL, name="aligner", rate=16000)

    def submit(self, request: Request) -> Job:
        if not isinstance(request, Align):
            return super().submit(request)
        self.asked.append(request)
        words = tuple(Word(word, n / 10, n / 10 + 0.1, 1.0) for n, word in enumerate(request.text.split()))
        events, self._events = self._events, (Segment(request.text, 0.0, 1.0, 1.0, words), Usage())
        job = super().submit(request)
        self._events = events
        return job


async def test_words_without_times_get_them_from_the_aligner() -> None:
    runtime = AligningRuntime()
    result = await recognise_all(runtime, replace(REQUEST, words=True))
    assert result.words == [Word("One", 0.5, 0.6, 1.0), Word("two.", 0.6, 0.7, 1.0)]
    (asked,) = runtime.asked
    assert (asked.model, asked.text, asked.language) == ("aligner", "One two.", "fr")
    assert asked.audio.rate == 16000 and asked.audio.duration == pytest.approx(1.0)
    assert (await recognise_all(runtime, REQUEST)).words == [] and len(runtime.asked) == 1, "nobody asked for words"


async def test_words_without_an_aligner_are_an_error_that_says_so() -> None:
    runtime = AligningRuntime(has_aligner=False)
    with pytest.raises(Unsupported, match=r"m tells no times of words, and no model is set .* --align"):
        await recognise_all(runtime, replace(REQUEST, words=True))
    assert not runtime.jobs
    assert (await recognise_all(runtime, REQUEST)).text == "One two. ..."


class LackingAligner(AligningRuntime):
    """Its aligner lacks the language, or a package for it."""

    def __init__(self, error: SpeechError = Unsupported("language 'fr' is none of this model's")) -> None:  # noqa: B008
        super().__init__()
        self._refusal = error

    def submit(self, request: Request) -> Job:
        if isinstance(request, Align):
            raise self._refusal
        return super().submit(request)


@pytest.mark.parametrize("runtime", [AligningRuntime(has_aligner=False), LackingAligner()])
async def test_a_segment_is_one_word_where_nobody_times_its_words(runtime: AligningRuntime) -> None:
    words = [Word("One two.", 0.5, 1.5, 0.9)]
    result = await recognise_all(runtime, replace(REQUEST, words=True), lenient=True)
    assert result.words == words and result.text == "One two. ..."
    with pytest.raises(Unsupported):
        await recognise_all(runtime, replace(REQUEST, words=True))
    timed = AligningRuntime()
    assert len((await recognise_all(timed, replace(REQUEST, words=True), lenient=True)).words) == 2


@pytest.mark.parametrize(("has_aligner", "parts"), [(True, ["One", "two.", " ... "]), (False, ["One two.", " ... "])])
async def test_speakers_divide_words_where_an_aligner_times_them(has_aligner: bool, parts: list[str]) -> None:
    runtime = AligningRuntime(has_aligner)
    runtime.turns = (SpeakerTurn(0.0, 0.6, "A"), SpeakerTurn(0.6, 2.0, "B"))
    result = await recognise_all(runtime, REQUEST, SpeakerOptions())
    assert [segment.text for segment in result.segments] == parts
    assert len(runtime.asked) == has_aligner


@pytest.mark.parametrize("error", [Unsupported("language 'sv' is none of its"), ModelUnavailable("nagisa is missing")])
async def test_speakers_divide_segments_where_the_aligner_cannot(error: SpeechError) -> None:
    """Nobody asked for words, so that their times are only useful."""
    runtime = LackingAligner(error)
    result = await recognise_all(runtime, REQUEST, SpeakerOptions())
    assert [(segment.text, segment.speaker) for segment in result.segments] == [("One two.", "B"), (" ... ", "B")]
    with pytest.raises(type(error)):
        await recognise_all(runtime, replace(REQUEST, words=True), SpeakerOptions())
