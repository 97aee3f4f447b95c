"""The parameters of /asr: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scripted_conversation import ROW

from speechmlx.errors import BadRequest
from speechmlx.protocols.whisperlivekit.query import AsrQuery, read_query, session_settings
from speechmlx.types import SpeakerOptions

MODEL = replace(ROW, name="model", languages=("en", "de", "zh"))


@pytest.mark.parametrize(
    ("query", "changes"),
    [
        ({}, {}),
        ({"mode": "diff"}, {"mode": "diff"}),
        ({"mode": "other"}, {"mode": "other"}),
        ({"language": "auto"}, {}),
        ({"language": "de-AT"}, {"language": "de"}),
        ({"language": "German"}, {"language": "de"}),
        ({"target_language": "fr"}, {"target_language": "fr"}),
        ({"target_language": ""}, {}),
        ({"diarization": "true"}, {"diarization": True}),
        ({"time_precision": "cs"}, {"centiseconds": True}),
        ({"prompt": "About boats.", "hotwords": "Ada, Zuse"}, {"prompt": "About boats.", "hotwords": ("Ada", "Zuse")}),
        ({"token": "key", "unknown": "1"}, {}),
    ],
)
def test_what_is_asked(query: dict[str, str], changes: dict[str, Any]) -> None:
    assert read_query(query, MODEL) == AsrQuery(**changes)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"language": "fr"}, "'fr' is not known to model; it knows en, de, zh"),
        ({"language": "klingonese"}, "'klingonese' is not known to model"),
        ({"target_language": "klingonese"}, "'klingonese' is not known to target_language"),
        ({"diarization": "maybe"}, "'diarization' must be true or false"),
        ({"time_precision": "ms"}, "'time_precision' must be one of s, cs"),
    ],
)
def test_what_is_wrong_is_named(query: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_query(query, MODEL)


def test_only_diff_sends_differences() -> None:
    assert [AsrQuery(mode=mode).is_diff for mode in ("full", "diff", "Diff", "other")] == [False, True, False, False]


def test_the_session_does_what_is_asked() -> None:
    asked = AsrQuery(language="de", diarization=True, prompt="About boats.", hotwords=("Ada",))
    settings = session_settings(asked)
    transcription = settings.transcription
    assert transcription is not None and not settings.answers and settings.progress
    assert (transcription.language, transcription.prompt, transcription.keywords) == ("de", "About boats.", ("Ada",))
    assert transcription.speakers == SpeakerOptions()
    assert (settings.input.encoding, settings.input.rate, settings.input.channels) == ("pcm16", 16000, 1)
    assert session_settings(AsrQuery()).transcription == replace(
        transcription, language=None, prompt=None, keywords=(), speakers=None
    )
