"""An answer's audio in the client's format: pieces of a fifth of a second, and no sample lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechmlx.audio import g711
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation.response.encoding import PIECE, OutputEncoder
from speechmlx.types import Chunk

TIME = np.arange(24000) / 24000
TONE = (np.sin(2 * np.pi * 440 * TIME) * 16000).astype("<i2").tobytes()


def encoded(format: AudioFormat, size: int) -> list[bytes]:
    encoder = OutputEncoder(format)
    pieces = [piece for at in range(0, len(TONE), size) for piece in encoder.push(Chunk(TONE[at : at + size], 24000))]
    return [*pieces, *encoder.flush()]


@pytest.mark.parametrize("size", [4800, 48000])
def test_the_same_format_passes_as_it_is(size: int) -> None:
    pieces = encoded(AudioFormat(), size)
    assert b"".join(pieces) == TONE
    assert max(map(len, pieces)) <= round(PIECE * 24000) * 2


@pytest.mark.parametrize("encoding", ["pcm16", "ulaw", "alaw"])
def test_another_rate_and_encoding(encoding: Any) -> None:
    format = AudioFormat(encoding, 8000)
    pieces = encoded(format, 4800)
    whole = b"".join(pieces)
    assert len(whole) == 8000 * format.width
    assert max(map(len, pieces)) <= round(PIECE * 8000) * format.width
    samples = from_pcm16(whole) if encoding == "pcm16" else g711.decode(whole, encoding)
    expected = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000) * 16000 / 32768
    assert np.abs(samples[200:-200] - expected[200:-200]).max() < 0.03


def test_seconds_and_an_empty_end() -> None:
    encoder = OutputEncoder(AudioFormat("ulaw", 8000))
    assert encoder.seconds(bytes(4000)) == 0.5
    assert list(encoder.flush()) == []
