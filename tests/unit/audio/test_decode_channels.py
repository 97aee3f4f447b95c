"""Decoding of one channel, and of samples without a header."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from support.encoded_audio import encode, loudness_at

from speechmlx.audio.decode import blocks, count_channels
from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadAudio

RATE = 16000
Encoding = Literal["pcm16", "int32", "float32", "ulaw", "alaw"]


def tone(frequency: float, rate: int = RATE) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)).astype(np.float32)


def interleaved(format: AudioFormat) -> bytes:
    """A second of a tone per channel: 440 Hz in the first, 880 Hz in the second."""
    channels = np.stack([tone(440 * (n + 1), format.rate) for n in range(format.channels)])
    return replace(format, channels=1).encode(channels.T.reshape(-1))


@pytest.mark.parametrize("encoding", ["pcm16", "int32", "float32", "ulaw", "alaw"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_samples_without_a_header(encoding: Encoding, channels: int, rate: int) -> None:
    format = AudioFormat(encoding, rate, channels)
    data = interleaved(format)
    assert count_channels(io.BytesIO(data), format) == channels
    for channel in range(channels):
        heard = np.concatenate(list(blocks(data, RATE, raw=format, channel=channel)))
        assert len(heard) / RATE == pytest.approx(1.0, abs=0.01)
        assert loudness_at(heard, RATE, 440 * (channel + 1)) == pytest.approx(0.5, rel=0.05)
        assert loudness_at(heard, RATE, 440 * (2 - channel)) < 0.02
    mixed = np.concatenate(list(blocks(data + b"\0" * (format.width - 1), RATE, raw=format)))
    assert len(mixed) / RATE == pytest.approx(1.0, abs=0.01)
    assert loudness_at(mixed, RATE, 440) == pytest.approx(0.5 / channels, rel=0.1)


def test_a_header_wins_over_the_format_of_samples() -> None:
    data = encode("wav", "pcm_s16le", "stereo")
    raw = AudioFormat("ulaw", 8000)
    assert count_channels(io.BytesIO(data), raw) == 2
    whole, told = (np.concatenate(list(blocks(data, RATE, raw=format))) for format in (None, raw))
    assert np.array_equal(whole, told)


@pytest.mark.parametrize(("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("ogg", "libopus")])
def test_one_channel_of_a_file(container: str, codec: str) -> None:
    data = encode(container, codec, "stereo")
    assert count_channels(io.BytesIO(data)) == 2
    left, right = (np.concatenate(list(blocks(data, RATE, channel=n))) for n in (0, 1))
    mix = np.concatenate(list(blocks(data, RATE)))
    loud = [loudness_at(samples, RATE, 440) for samples in (left, right, mix)]
    assert max(loud[:2]) == pytest.approx(0.5, rel=0.05) and min(loud[:2]) < 0.05
    assert loud[2] == pytest.approx(0.25, rel=0.05)
    with pytest.raises(BadAudio, match="has 2 channels"):
        list(blocks(data, RATE, channel=2))


def test_what_is_no_audio_has_no_channels() -> None:
    with pytest.raises(BadAudio, match="plain text"):
        count_channels(io.BytesIO(b"only words in here, and no audio at all"))
