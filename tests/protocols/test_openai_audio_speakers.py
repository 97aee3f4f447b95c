"""Speakers in OpenAI's transcriptions, with OpenAI's own client: scripted turns, and a telephone call for real."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai.types.audio import TranscriptionDiarized
from support.clips import CONVERSATION
from support.diarization import errors
from support.openai_audio import TONE, WAV, hear

from speechmlx.audio.encode import wav_header
from speechmlx.types import SpeakerTurn

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def data_url(seconds: float) -> str:
    size = round(seconds * 32000) // 2 * 2
    pcm = (TONE * 10)[:size]
    return "data:audio/wav;base64," + base64.b64encode(wav_header(16000, len(pcm)) + pcm).decode()


def test_diarized_json(scripted: openai.OpenAI) -> None:
    """The client sends model, chunking_strategy and format as OpenAI's guide does."""
    heard = hear(scripted, "steps=3", response_format="diarized_json", chunking_strategy="auto")
    assert isinstance(heard, TranscriptionDiarized)
    assert (heard.task, heard.duration, heard.text) == ("transcribe", 3.0, "A: part 0.\nB: part 1.\nA: part 2.")
    assert heard.usage is not None and heard.usage.type == "duration" and heard.usage.seconds == 3.0
    assert [(one.type, one.id, one.start, one.end, one.text, one.speaker) for one in heard.segments] == [
        ("transcript.text.segment", "seg_001", 0.0, 1.0, "part 0.", "A"),
        ("transcript.text.segment", "seg_002", 1.0, 2.0, "part 1.", "B"),
        ("transcript.text.segment", "seg_003", 2.0, 3.0, "part 2.", "A"),
    ]


def test_known_speakers_are_named(scripted: openai.OpenAI) -> None:
    known = {"known_speaker_names": ["agent", "Ann Lee"], "known_speaker_references": [data_url(2), data_url(3)]}
    heard = hear(scripted, "steps=3", response_format="diarized_json", extra_body=known)
    assert [one.speaker for one in heard.segments] == ["agent", "Ann Lee", "agent"]


def test_a_stream_has_its_segments_with_speakers(scripted: openai.OpenAI) -> None:
    events = list(hear(scripted, "steps=2", response_format="diarized_json", stream=True))
    assert [event.type for event in events] == [
        *["transcript.text.delta", "transcript.text.segment"] * 2,
        "transcript.text.done",
    ]
    segments = [event for event in events if event.type == "transcript.text.segment"]
    assert [(one.id, one.text, one.speaker) for one in segments] == [
        ("seg_001", "part 0.", "A"),
        ("seg_002", "part 1.", "B"),
    ]
    deltas = [event for event in events if event.type == "transcript.text.delta"]
    assert "".join(event.delta for event in deltas) == events[-1].text == "part 0. part 1."
    assert [event.segment_id for event in deltas] == ["seg_001", "seg_002"]


def test_other_formats_have_speakers_where_they_are_asked_for(scripted: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"extra_body": {"diarize": True}}
    both: dict[str, Any] = {"timestamp_granularities": ["word", "segment"]}
    verbose = hear(scripted, response_format="verbose_json", **both, **asked)
    assert [segment.speaker for segment in verbose.segments] == ["A", "B"]
    assert [word.speaker for word in verbose.words] == ["A", "B"]
    assert hear(scripted, response_format="text", **asked) == "[A]: part 0.\n[B]: part 1.\n"
    assert "\n[B]: part 1.\n" in hear(scripted, response_format="vtt", **asked)
    assert hear(scripted, **asked).text == "part 0. part 1."
    unasked = hear(scripted, response_format="verbose_json", **both)
    assert not hasattr(unasked.segments[0], "speaker") and not hasattr(unasked.words[0], "speaker")


def test_rttm(server: Any) -> None:
    with server.client() as client:
        form = {"model": "scripted-asr", "response_format": "rttm", "max_speakers": "2"}
        answer = client.post("/v1/audio/transcriptions", data=form, files={"file": ("my call.wav", WAV)})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines() == [
        "SPEAKER my_call 1 0.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>",
        "SPEAKER my_call 1 1.000 1.000 <NA> <NA> SPEAKER_01 <NA> <NA>",
        "SPEAKER my_call 1 2.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>",
    ]


@pytest.mark.parametrize(
    ("names", "references", "says"),
    [
        (["a"], [], "must be as many: 1 names and 0 recordings"),
        ([], [data_url(2)], "must be as many: 0 names and 1 recordings"),
        (list("abcde"), [data_url(2)] * 5, "at most 4 speakers can be known, not 5"),
        (["a", "a"], [data_url(2)] * 2, "must differ, not a, a"),
        (["a" * 65], [data_url(2)], "must be texts of 1 to 64 characters"),
        (["a"], [data_url(1)], "known speaker 'a' has 1.0 s; it must have 2 to 10 s"),
        (["a"], [data_url(12)], "known speaker 'a' has 12.0 s; it must have 2 to 10 s"),
        (["a"], ["data:audio/wav;base64,!"], "known speaker 'a' is not base64"),
        (["a"], ["https://example.org/a.wav"], "looks like an address"),
    ],
    ids=lambda value: f"{value}"[:20],
)
def test_bad_known_speakers_are_named(
    scripted: openai.OpenAI, names: list[str], references: list[str], says: str
) -> None:
    known = {"known_speaker_names": names, "known_speaker_references": references}
    with pytest.raises(openai.BadRequestError, match=says):
        hear(scripted, response_format="diarized_json", extra_body=known)


def test_a_recording_that_cannot_be_decoded_is_named(scripted: openai.OpenAI) -> None:
    known = {"known_speaker_names": ["a"], "known_speaker_references": ["data:audio/wav;base64,AAAA"]}
    with pytest.raises(openai.APIStatusError, match="known speaker 'a'"):
        hear(scripted, response_format="diarized_json", extra_body=known)


def test_a_telephone_call(talk: openai.OpenAI, starter: Any, clip: Callable[[str], Path]) -> None:
    """Recognition and diarization for real: who says what, and the words of a known speaker by her name."""
    call = clip("conversation")
    pcm = call.read_bytes()[-960_000:]
    samples = np.frombuffer(pcm, "<i2")
    sheila = samples[round(14.75 * 16000) : round(17.9 * 16000)].tobytes()
    reference = "data:audio/wav;base64," + base64.b64encode(wav_header(16000, len(sheila)) + sheila).decode()
    heard = talk.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=call,
        response_format="diarized_json",
        chunking_strategy="auto",
        known_speaker_names=["Sheila"],
        known_speaker_references=[reference],
        extra_body={"max_speakers": 2},
    )
    assert isinstance(heard, TranscriptionDiarized)
    said: dict[str, str] = {}
    for segment in heard.segments:
        said[segment.speaker] = f"{said.get(segment.speaker, '')} {segment.text}"
    assert set(said) == {"Sheila", "A"}
    assert "Texas" in said["Sheila"] and "Yankee" in said["Sheila"] and "New Jersey" in said["A"]
    with httpx.Client(trust_env=False, timeout=120) as client:
        form = {"response_format": "rttm", "max_speakers": "2"}
        rttm = client.post(f"{starter.url}/v1/audio/transcriptions", data=form, files={"file": call.read_bytes()}).text
    lines = [line.split() for line in rttm.splitlines()]
    found = [SpeakerTurn(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in lines]
    truth = [SpeakerTurn(*turn) for turn in CONVERSATION]
    assert errors(truth, found, overlaps=False).rate < 0.12
