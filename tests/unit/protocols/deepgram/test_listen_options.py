"""The query of /v1/listen: spellings of values, repeated keys, what is refused and what is ignored."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import QueryParams

from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.listen_options import ListenOptions, listen_options


def options(query: str) -> ListenOptions:
    return listen_options(QueryParams(query))


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("", "language", "en"),
        ("language=multi", "language", None),
        ("language=fr-CA", "language", "fr"),
        ("detect_language=true", "language", None),
        ("detect_language=en&detect_language=fr", "languages", ("en", "fr")),
        ("interim_results=True", "interim_results", True),
        ("interim_results=false", "interim_results", False),
        ("vad_events=TRUE", "vad_events", True),
        ("", "endpointing", 0.01),
        ("endpointing=true", "endpointing", 0.01),
        ("endpointing=300", "endpointing", 0.3),
        ("endpointing=False", "endpointing", None),
        ("utterance_end_ms=1500", "utterance_end", 1.5),
        ("punctuate=true", "punctuate", True),
        ("smart_format=true&punctuate=false", "punctuate", True),
        ("keyterm=Ada&keyterm=Babbage%20Engine&keyterm=Ada", "keywords", ("Ada", "Babbage Engine")),
        ("keywords=snuffle:2&keywords=no:-3&keywords=plain", "keywords", ("snuffle", "plain")),
        ("replace=monica:Monika&replace=um", "replace", (("monica", "Monika"), ("um", ""))),
        ("diarize_model=latest", "diarize", True),
        ("diarize=false", "diarize", False),
        ("extra=call:17&extra=side:left", "extra", (("call", "17"), ("side", "left"))),
        ("tag=a&tag=b", "tag", ("a", "b")),
        ("utt_split=1.5", "utt_split", 1.5),
        ("nova=3&redact=pci&tier=x&version=latest&search=a", "model", None),
        ("encoding=linear16&sample_rate=8000", "format", AudioFormat("pcm16", 8000)),
        ("encoding=linear32&sample_rate=48000&channels=2", "format", AudioFormat("float32", 48000, 2)),
        ("encoding=mulaw&sample_rate=8000", "format", AudioFormat("ulaw", 8000)),
        ("encoding=ALAW&sample_rate=8000", "format", AudioFormat("alaw", 8000)),
        ("encoding=ogg-opus", "format", AudioFormat("container", 16000)),
        ("encoding=flac&sample_rate=44100", "format", AudioFormat("container", 16000)),
        ("sample_rate=44100", "format", AudioFormat("container", 16000)),
    ],
)
def test_a_value(query: str, field: str, value: Any) -> None:
    assert getattr(options(query), field) == value


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("encoding=linear16", "sample_rate"),
        ("encoding=mulaw&sample_rate=", "sample_rate"),
        ("encoding=linear16&sample_rate=4000", "8000 to 48000"),
        ("encoding=linear16&sample_rate=x", "sample_rate"),
        ("encoding=g729&sample_rate=8000", "linear16"),
        ("encoding=linear16&sample_rate=8000&channels=0", "channels"),
        ("interim_results=perhaps", "interim_results"),
        ("utterance_end_ms=500", "1000"),
        ("endpointing=soon", "endpointing"),
        ("utt_split=-1", "utt_split"),
        ("&".join(f"keyterm=k{number}" for number in range(101)), "100"),
    ],
)
def test_what_cannot_be_is_named(query: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        options(query)
