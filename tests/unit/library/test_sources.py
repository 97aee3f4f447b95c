"""Recordings as callers give them: they sound the same, and what is none is named."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechmlx.errors import BadAudio, BadRequest
from speechmlx.library import sources
from speechmlx.library.results import Sound
from speechmlx.library.sources import read_source, stem, stream_source
from speechmlx.types import Audio

RATE = 8000
TONE = np.sin(np.arange(2 * RATE) * 0.3).astype(np.float32) * 0.5
WAV = Sound(TONE, RATE).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a tone.wav"
    path.write_bytes(WAV)
    return path


def kinds_of(file: Path) -> list[Any]:
    pcm16 = (TONE * 32767).astype(np.int16)
    arrays = [(TONE, RATE), (TONE.astype(np.float64), RATE), (pcm16, RATE), (np.stack([TONE, TONE], 1), RATE)]
    return [file, str(file), WAV, bytearray(WAV), memoryview(WAV), io.BytesIO(WAV), Audio(TONE, RATE), *arrays]


async def test_every_kind_of_source_is_the_same_sound(file: Path) -> None:
    for source in kinds_of(file):
        audio = await read_source(source, RATE)
        assert audio.rate == RATE and audio.samples.dtype == np.float32
        assert audio.samples == pytest.approx(TONE, abs=1e-3), type(source)


async def test_a_stream_is_the_same_sound_at_the_model_s_rate(file: Path) -> None:
    for source in (file, (TONE, RATE)):
        blocks = [block async for block in stream_source(source, 16000)]
        assert len(blocks) == 2 and sum(map(len, blocks)) == 32000
        assert np.concatenate(blocks) == pytest.approx((await read_source(file, 16000)).samples, abs=1e-3)


async def test_a_long_recording_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AT_ONCE", 2)
    samples = np.tile(TONE, 3)
    audio = await read_source(Sound(samples, RATE).encode(), RATE)
    assert audio.samples == pytest.approx(samples, abs=1e-3)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("/nowhere/a.wav", BadRequest, "/nowhere/a.wav cannot be read: No such file"),
        ("/", BadRequest, "/ cannot be read"),
        (b"no audio at all, only a text", BadAudio, "the audio is plain text"),
        (b"", BadAudio, "the audio is"),
        (3, BadRequest, r"a recording is a path, .* or \(array, rate\), not int"),
        ((TONE,), BadRequest, "not 1 values"),
        ((TONE, "8000"), BadRequest, "sample rate"),
        ((TONE > 0, RATE), BadRequest, "an array of numbers"),
        ((TONE[:0], RATE), BadAudio, "no samples"),
        ((np.full(9, np.nan), RATE), BadAudio, "no numbers"),
    ],
)
async def test_what_is_no_recording_is_named(source: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await read_source(source, RATE)


def test_the_name_of_a_recording(file: Path) -> None:
    assert [stem(source) for source in (file, "x/talk.mp3", WAV, (TONE, RATE))] == ["a tone", "talk", "", ""]
