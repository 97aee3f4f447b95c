"""The data of clients' events: what counts, what is missing, and clear words about what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.asr import Transcribe
from wyoming.event import Event
from wyoming.tts import Synthesize, SynthesizeStart, SynthesizeTextFormat, SynthesizeVoice

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.protocols.wyoming.requests import (
    RecognitionRequest,
    SampleFormat,
    VoiceRequest,
    WidthConverter,
    program_name,
    recognition_request,
    sample_format,
    spoken_text,
    voice_request,
)


def test_names_come_before_terms_each_once() -> None:
    event = Transcribe("tiny", "de", transcript_names=["Anna ", "Bob"], transcript_terms=["Bob", " ", "oven"]).event()
    assert recognition_request(event) == RecognitionRequest("tiny", "de", ("Anna", "Bob", "oven"))
    assert recognition_request(Event("transcribe", {"name": None, "language": " "})) == RecognitionRequest()


def test_voices() -> None:
    voice = SynthesizeVoice("af_sky", speaker="one")
    assert voice_request(Synthesize("x", voice).event()) == VoiceRequest("af_sky", None, "one")
    assert voice_request(SynthesizeStart(SynthesizeVoice(language="de")).event()) == VoiceRequest(None, "de")
    plain = Synthesize("x", text_format=SynthesizeTextFormat.TEXT).event()
    assert voice_request(plain) == VoiceRequest()


def test_a_chunk_without_a_format_has_that_of_audio_start() -> None:
    start = SampleFormat(48000, 3, 2)
    assert sample_format(Event("audio-chunk"), start) == start
    assert sample_format(Event("audio-chunk", {"rate": 8000, "width": 1, "channels": 1}), start) == SampleFormat(
        8000, 1
    )
    with pytest.raises(BadRequest, match="width is None"):
        sample_format(Event("audio-chunk", {"rate": 8000}), start)


@pytest.mark.parametrize(
    ("read", "data", "words"),
    [
        (recognition_request, {"name": 5}, "name is 5; allowed is text"),
        (recognition_request, {"transcript_names": "Anna"}, "transcript_names is 'Anna'; allowed is a list"),
        (recognition_request, {"transcript_terms": [1]}, "are lists of text"),
        (sample_format, {}, "rate is None; allowed is 4000 to 192000 Hz"),
        (sample_format, {"rate": 1, "width": 2, "channels": 1}, "rate is 1;"),
        (sample_format, {"rate": True, "width": 2, "channels": 1}, "rate is True; allowed is a whole number"),
        (sample_format, {"rate": 16000, "width": 8, "channels": 1}, "width is 8; allowed is 1 to 4 bytes"),
        (sample_format, {"rate": 16000, "width": 2, "channels": 0}, "channels is 0; allowed is 1 to 16"),
        (voice_request, {"voice": "af_sky"}, "voice is 'af_sky'; allowed is an object"),
        (voice_request, {"voice": {"name": []}}, "voice: name is []; allowed is text"),
        (voice_request, {"text_format": "ssml"}, "text_format is 'ssml'; allowed is text"),
        (spoken_text, {}, "needs a text"),
        (spoken_text, {"text": 3}, "text is 3; allowed is text"),
        (program_name, {"name": 3}, "name is 3"),
    ],
)
def test_what_cannot_be(read: Any, data: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read(Event("kind", data))
    assert str(raised.value).startswith("kind") and words in str(raised.value)


def test_ssml_is_taken_whole() -> None:
    ssml = {"text": "<speak>Hi.</speak>", "text_format": "ssml"}
    assert voice_request(Event("synthesize", ssml)) == VoiceRequest()
    with pytest.raises(Unsupported, match=r"text_format is 'ssml'; allowed is text$"):
        voice_request(Event("synthesize-start", ssml))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@given(cuts=st.lists(st.integers(1, 40), max_size=20))
def test_every_width_is_the_same_sound_however_it_is_cut(width: int, cuts: list[int]) -> None:
    wave = (np.sin(np.arange(60) / 5) * 0.9).astype(np.float64)
    raw = {
        1: (np.round(wave * 127) + 128).astype(np.uint8).tobytes(),
        2: np.round(wave * 32767).astype("<i2").tobytes(),
        3: np.round(wave * (2**23 - 1)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
        4: np.round(wave * (2**31 - 1)).astype("<i4").tobytes(),
    }[width]
    converter, converted, at = WidthConverter(width), b"", 0
    for cut in [*cuts, len(raw)]:
        converted += converter.push(raw[at : at + cut])
        at += cut
    decoded = SampleFormat(16000, width).as_live.decode(converted)
    assert np.abs(decoded - wave).max() < (0.02 if width == 1 else 1e-4)
