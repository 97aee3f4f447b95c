"""Encoders: what they write is that format, as long as what came in, in pieces as in one."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.audio.codecs import PCM_RATE, encoder
from speechmlx.audio.decode import decode
from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.audio.pcm import to_pcm16

SECONDS = 2
LAG = 0.15
"""Seconds a codec may add."""


def tone(rate: int) -> bytes:
    return to_pcm16((0.4 * np.sin(2 * np.pi * 440 * np.arange(rate * SECONDS) / rate)).astype(np.float32))


def written(format: str, rate: int, piece: int) -> bytes:
    made, pcm16 = encoder(format, rate), tone(rate)
    pieces = [made.push(pcm16[start : start + piece]) for start in range(0, len(pcm16), piece)]
    return b"".join([*pieces, made.finish()])


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
def test_what_is_written_sounds_the_same(format: str, rate: int) -> None:
    data = written(format, rate, 9600)
    heard = decode(data, 24000, pcm_rate=PCM_RATE if format == "pcm" else None)
    assert heard.duration == pytest.approx(SECONDS, abs=LAG)
    second = heard.samples[12000:36000]
    assert np.abs(np.fft.rfft(second)).argmax() == 440
    assert np.sqrt(np.mean(second**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("format", sorted(set(MEDIA_TYPES) - {"opus"}))
def test_pieces_give_what_the_whole_gives(format: str) -> None:
    assert written(format, 24000, 1001 * 2) == written(format, 24000, 1 << 30)


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_sound_comes_before_the_end(format: str) -> None:
    made = encoder(format, 24000)
    first = made.push(tone(24000)[: 24000 * 2])
    assert len(first) > 1000


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_nothing_in_is_a_quiet_end(format: str) -> None:
    data = encoder(format, 24000).finish()
    assert len(data) < 9000
