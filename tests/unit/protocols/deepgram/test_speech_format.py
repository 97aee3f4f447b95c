"""The formats of /v1/speak: what goes together, what does not, and what is written."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.audio.decode import decode
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.speech_format import ENCODINGS, SpeechFormat, live_format, speech_format


@pytest.mark.parametrize(
    ("query", "format", "media_type"),
    [
        ({}, SpeechFormat("mp3", "none", 22050, 48_000), "audio/mpeg"),
        ({"bit_rate": "32000"}, SpeechFormat("mp3", "none", 22050, 32_000), "audio/mpeg"),
        ({"encoding": "linear16"}, SpeechFormat("linear16", "wav", 24000), "audio/wav"),
        (
            {"encoding": "Linear16", "container": "none", "sample_rate": "8000"},
            SpeechFormat("linear16", "none", 8000),
            "audio/l16;rate=8000;channels=1",
        ),
        ({"encoding": "mulaw"}, SpeechFormat("mulaw", "wav", 8000), "audio/wav"),
        (
            {"encoding": "alaw", "container": "NONE", "sample_rate": "16000.0"},
            SpeechFormat("alaw", "none", 16000),
            "audio/alaw;rate=16000;channels=1",
        ),
        ({"encoding": "opus"}, SpeechFormat("opus", "ogg", 48000, 12_000), "audio/ogg"),
        ({"encoding": "opus", "bit_rate": "650000"}, SpeechFormat("opus", "ogg", 48000, 650_000), "audio/ogg"),
        ({"encoding": "flac"}, SpeechFormat("flac", "none", 48000), "audio/flac"),
        ({"encoding": "aac", "bit_rate": "4000"}, SpeechFormat("aac", "none", 22050, 4_000), "audio/aac"),
    ],
)
def test_formats(query: dict[str, str], format: SpeechFormat, media_type: str) -> None:
    assert speech_format(query) == format
    assert format.media_type == media_type


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"encoding": "wav"}, "'encoding' must be one of mp3, linear16"),
        ({"container": "wav"}, "'container' with encoding=mp3 must be one of none, not 'wav'"),
        ({"encoding": "opus", "container": "none"}, "'container' with encoding=opus must be one of ogg"),
        ({"sample_rate": "24000"}, "'sample_rate' with encoding=mp3 must be one of 22050, not 24000"),
        ({"encoding": "mulaw", "sample_rate": "24000"}, "must be one of 8000, 16000, not 24000"),
        ({"encoding": "flac", "sample_rate": "24000"}, "must be one of 8000, 16000, 22050, 32000, 48000"),
        ({"bit_rate": "64000"}, "'bit_rate' with encoding=mp3 must be one of 32000, 48000, not 64000"),
        ({"encoding": "linear16", "bit_rate": "64000"}, "'bit_rate' does not go with encoding=linear16"),
        ({"encoding": "aac", "bit_rate": "200000"}, "'bit_rate' with encoding=aac must be from 4000 to 192000"),
        ({"encoding": "linear16", "sample_rate": "fast"}, "'sample_rate' must be a number"),
    ],
)
def test_what_does_not_go_together(query: dict[str, str], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        speech_format(query)


@pytest.mark.parametrize(
    ("query", "format"),
    [
        ({}, AudioFormat("pcm16", 24000)),
        ({"encoding": "linear16", "sample_rate": "48000"}, AudioFormat("pcm16", 48000)),
        ({"encoding": "mulaw", "container": "none"}, AudioFormat("ulaw", 24000)),
        ({"encoding": "alaw", "sample_rate": "8000"}, AudioFormat("alaw", 8000)),
    ],
)
def test_live_formats(query: dict[str, str], format: AudioFormat) -> None:
    assert live_format(query) == format


@pytest.mark.parametrize("query", [{"encoding": "mp3"}, {"container": "wav"}, {"sample_rate": "22050"}])
def test_a_socket_sends_samples_only(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="must be one of"):
        live_format(query)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_written(encoding: str) -> None:
    tone = to_pcm16((0.4 * np.sin(2 * np.pi * 440 * np.arange(24000) / 24000)).astype(np.float32))
    format = speech_format({"encoding": encoding})
    made = format.build_encoder(24000)
    heard = decode(made.push(tone) + made.finish(), 24000)
    assert heard.duration == pytest.approx(1.0, abs=0.15)
    assert np.abs(np.fft.rfft(heard.samples[6000:18000])).argmax() == 220
