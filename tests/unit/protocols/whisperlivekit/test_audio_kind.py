"""What the first bytes of a connection tell: PCM or a container."""

from __future__ import annotations

import numpy as np
import pytest
from support.encoded_audio import ENCODINGS, encode

from speechmlx.audio import frames
from speechmlx.protocols.whisperlivekit.audio_kind import audio_kind


@pytest.mark.parametrize(("container", "codec"), ENCODINGS, ids="-".join)
def test_a_container_is_known_by_its_first_bytes(container: str, codec: str) -> None:
    data = encode(container, codec)
    for size in range(len(data)):
        kind = audio_kind(data[:size])
        assert kind != "pcm", f"after {size} bytes"
        if kind == "container":
            assert size < 8192
            return
    raise AssertionError("never known")


def test_mp3_without_a_tag_is_a_container() -> None:
    data = encode("mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"})
    assert data[0] == 0xFF
    assert audio_kind(data[:200]) is None and audio_kind(data[:8000]) == "container"


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(8000),
        np.full(8000, -1),
        np.random.default_rng(1).integers(-3, 3, 8000),
        np.random.default_rng(2).integers(-32768, 32767, 8000),
        np.arange(8000) % 7 - 1,
    ],
    ids=["zeros", "all bits", "quiet noise", "loud noise", "steps"],
)
def test_pcm_is_no_container(samples: np.ndarray) -> None:
    data = samples.astype("<i2").tobytes()
    assert [audio_kind(data[start:]) for start in range(64)] == ["pcm"] * 64


def test_pcm_that_begins_like_a_frame_waits_for_the_next_frame_and_not_longer() -> None:
    data = b"\xff\xfb\x90\x00" + bytes(100_000)
    assert audio_kind(data[:1000]) is None
    assert audio_kind(data[:1000], complete=True) == "pcm"
    assert audio_kind(data[: frames.REACH]) == "pcm"


def test_few_bytes_tell_nothing_until_no_more_come() -> None:
    assert audio_kind(b"\1\2\3") is None
    assert audio_kind(b"\1\2\3", complete=True) == "pcm"
