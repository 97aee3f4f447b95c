"""Recognition of audio that is there as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.scripted_input import RATE, ScriptedInput, speech

from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import UnknownModel, Unsupported
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.types import Align, Audio, Kind, Priority, Request, Segment, SpeakerOptions, Transcribe, Word


async def test_settings_reach_the_request_and_times_are_the_sessions() -> None:
    engines = ScriptedInput()
    transcriber = Transcriber(engines)
    transcriber.settings = Transcription(task="translate", keywords=("Ann",), speakers=SpeakerOptions())
    updates: list[TranscriptUpdate] = []
    found = await transcriber.transcribe(Audio(speech(1.0), RATE), 3.0, updates.append)
    assert [word.start for word in found.words] == [3.0, 3.5]
    assert updates[0].committed == found.words
    (request,) = engines.requests(Transcribe)
    assert (request.task, request.hotwords, request.words) == ("translate", ("Ann",), True)


async def test_too_short_audio_has_no_words_and_other_rates_are_resampled() -> None:
    engines = ScriptedInput()
    transcriber = Transcriber(engines)
    assert await transcriber.transcribe(Audio(speech(0.05), RATE), 0.0, lambda _: None) == Transcript("")
    assert not engines.jobs
    await transcriber.transcribe(Audio(np.full(48000, 0.5, np.float32), 48000), 0.0, lambda _: None)
    assert engines.requests(Transcribe)[0].audio.duration == pytest.approx(1.0)


def test_log_probabilities_are_not_live() -> None:
    transcriber = Transcriber(ScriptedInput())
    assert transcriber.live
    transcriber.settings = Transcription(logprobs=True)
    assert not transcriber.live


class Untimed(ScriptedInput):
    """Its recogniser tells no times of words; its aligner says each word for half a second, if it has one."""

    def __init__(self, aligner: bool = True) -> None:
        super().__init__()
        self._aligner = aligner

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        if kind is Kind.ALIGN and not self._aligner:
            raise UnknownModel("there is no align model")
        return replace(super().model(name, kind, live), untimed=kind is Kind.ASR)

    def _start(self, job: Job, request: Request) -> None:
        if not isinstance(request, Align) or Kind.ALIGN in self.fails:
            super()._start(job, replace(request, words=False) if isinstance(request, Transcribe) else request)
            return
        words = tuple(Word(f" {text}", n / 2, n / 2 + 0.5, 1.0) for n, text in enumerate(request.text.split()))
        job.on_output(Segment(request.text, 0.0, 1.0, 1.0, words))
        job.finish_with(None)


async def test_words_without_times_get_them_from_the_aligner() -> None:
    engines = Untimed()
    transcriber = Transcriber(engines)
    transcriber.settings = Transcription(words=True)
    updates: list[TranscriptUpdate] = []
    found = await transcriber.transcribe(Audio(speech(1.0), RATE), 3.0, updates.append)
    assert found.words == (Word(" w1", 3.0, 3.5, 1.0), Word(" w2", 3.5, 4.0, 1.0)) == updates[0].committed
    (asked,) = engines.requests(Align)
    assert (asked.text, asked.language, asked.priority) == (" w1 w2", "en", Priority.REALTIME)
    transcriber.settings = Transcription()
    assert (await transcriber.transcribe(Audio(speech(1.0), RATE), 0.0, updates.append)).words == ()
    assert len(engines.requests(Align)) == 1, "nobody asked for words"


@pytest.mark.parametrize("aligner", [False, True])
async def test_a_turn_without_times_of_words_is_a_turn(aligner: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Where there is no aligner, and where it fails. The log says so."""
    engines = Untimed(aligner)
    engines.fails[Kind.ALIGN] = Unsupported("no such language")
    transcriber = Transcriber(engines)
    transcriber.settings = Transcription(words=True)
    for _ in range(2):
        found = await transcriber.transcribe(Audio(speech(1.0), RATE), 0.0, lambda _: None)
        assert (found.text, found.words) == ("w1 w2", ())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 + aligner and ("no such language" if aligner else "--align") in said[0]
