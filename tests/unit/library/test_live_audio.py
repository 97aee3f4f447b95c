"""Live audio of every kind that callers have, as bytes for a session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.library.live_audio import PIECE, encoded, pieces

TONE = np.array([0.0, 0.5, -0.5, 0.25], np.float32)


@pytest.mark.parametrize(
    ("pcm", "format"),
    [
        (b"\0\0\0\x40", AudioFormat("pcm16", 8000)),
        (memoryview(b"\0\0\0\x40"), AudioFormat("pcm16", 8000)),
        (np.array([0, 16384], np.int16), AudioFormat("pcm16", 8000)),
        (np.array([0, 1 << 30], np.int32), AudioFormat("int32", 8000)),
        (np.array([0.0, 0.5], np.float64), AudioFormat("float32", 8000)),
        (np.array([[0.0, 0.0], [0.5, 0.5]], np.float32), AudioFormat("float32", 8000, 2)),
    ],
)
def test_the_same_sound_in_every_kind(pcm: Any, format: AudioFormat) -> None:
    data, found = encoded(pcm, 8000)
    assert found == format
    assert found.decode(data) == pytest.approx([0.0, 0.5])


@pytest.mark.parametrize(
    ("pcm", "rate", "words"),
    [
        (TONE, 0, "sample rate must be a whole number of Hz from 1000 to 768000, not 0"),
        (TONE, 16000.0, "not 16000.0"),
        (TONE, True, "not True"),
        (TONE.astype(np.uint8), 16000, "int16, int32, float32, float64, not uint8"),
        (np.array(["a"]), 16000, "an array of numbers"),
        (TONE.reshape(1, 2, 2), 16000, "shape"),
        (np.zeros((1, 4000)), 16000, r"4000 channels; allowed: 1 to 256, as \[n, channels\]"),
        ("text", 16000, "an array of numbers"),
    ],
)
def test_what_is_no_audio_is_named(pcm: Any, rate: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        encoded(pcm, rate)


def test_long_audio_is_divided() -> None:
    format = AudioFormat("pcm16", 1000)
    data = bytes(2 * 1000 * (2 * PIECE + 1))
    parts = list(pieces(data, format))
    assert [format.seconds(len(part)) for part in parts] == [PIECE, PIECE, 1.0]
    assert b"".join(parts) == data and list(pieces(b"", format)) == []
