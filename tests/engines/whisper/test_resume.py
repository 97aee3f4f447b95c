"""A recognition goes on behind any of its checkpoints, and gives what an uninterrupted one gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.engine_runs import run, segments
from support.whisper_runs import RATE, text

from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.offline.transcript_state import TranscriptState
from speechmlx.types import Audio, Checkpoint, Event, LanguageDetected, Segment, Transcribe, Usage

NAMES = ("jfk", "beckett", "librispeech", "beckett")


@pytest.fixture(scope="module")
def recording(speech: Callable[[str], Audio]) -> Audio:
    """Four clips with pauses, 46 s in all."""
    pause = np.zeros(3 * RATE, np.float32)
    return Audio(np.concatenate([part for name in NAMES for part in (speech(name).samples, pause)]), RATE)


def visible(events: Sequence[Event]) -> list[Any]:
    """What a client can see, with probabilities rounded: windows of other batches differ in the last bits."""
    return [_rounded(event) for event in events if not isinstance(event, Checkpoint)]


def _rounded(event: Event) -> Any:
    if not isinstance(event, Segment):
        return event
    words = [(word.text, round(word.start, 2), round(word.end, 2)) for word in event.words]
    return event.text, event.start, event.end, event.tokens, round(event.avg_logprob, 3), words


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"words": True},
        {"vad": False, "condition_on_previous_text": True},
        {"vad": False, "prefix": "And"},
    ],
    ids=str,
)
def test_it_goes_on_behind_a_checkpoint(
    tiny: Whisper, recording: Audio, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.offline, "max_batch", 1)  # else all windows are decoded at once, and end in any order
    request = Transcribe(audio=recording, checkpoints=True, **settings)
    whole = run(tiny, request)[0]
    places = [place for place, event in enumerate(whole) if isinstance(event, Checkpoint)]
    assert places
    positions = [event.position for event in whole if isinstance(event, Checkpoint)]
    assert positions == sorted(set(positions)) and positions[-1] < recording.duration
    for place in {places[0], places[-1]}:
        checkpoint = whole[place]
        assert isinstance(checkpoint, Checkpoint)
        rest = run(tiny, replace(request, resume=checkpoint))[0]
        assert not any(isinstance(event, LanguageDetected) for event in rest)
        assert visible(whole[: place + 1]) + visible(rest) == visible(whole)


def test_without_being_asked_there_is_no_checkpoint(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    found = run(tiny, Transcribe(audio=speech("jfk")))[0]
    assert segments(found) and not any(isinstance(event, Checkpoint) for event in found)


def test_quiet_recordings_resume_in_their_second_pass(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """Where no part that may be speech gives text, the whole recording is decoded; that pass can be gone on with."""
    hiss = np.random.default_rng(2).normal(0, 0.02, 70 * RATE).astype(np.float32)
    hiss[: 2 * RATE] *= 20
    request = Transcribe(audio=Audio(hiss, RATE), checkpoints=True)
    whole = run(tiny, request)[0]
    states = [event for event in whole if isinstance(event, Checkpoint)]
    wary = [state for state in states if TranscriptState.read(state).wary]
    assert wary
    for checkpoint in wary:
        rest = run(tiny, replace(request, resume=checkpoint))[0]
        assert text(rest) == text(whole)
        assert rest[-1] == whole[-1] and isinstance(rest[-1], Usage)
