"""Recognition of audio that is there as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from support.scripted_input import RATE, ScriptedInput, speech

from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.settings import Transcription
from speechmlx.types import Audio, SpeakerOptions, Transcribe


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
