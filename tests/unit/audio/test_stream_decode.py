"""A container that comes in pieces is decoded while it comes, as it is when it is whole."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.encoded_audio import ENCODINGS, encode

from speechmlx.audio.decode import decode
from speechmlx.audio.stream_decode import StreamDecoder
from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from speechmlx.types import Samples

STREAMS = [entry for entry in ENCODINGS if entry[0] in ("webm", "ogg", "mp3", "flac", "wav", "adts")]


def stream(data: bytes, size: int, channel: int | None = None) -> Samples:
    pieces: list[Samples] = []
    decoder = StreamDecoder(16000, pieces.append, channel)
    for place in range(0, len(data), size):
        decoder.push(data[place : place + size])
    decoder.finish()
    return np.concatenate(pieces)


@pytest.mark.parametrize(("container", "codec"), STREAMS)
@pytest.mark.parametrize("size", [997, 1 << 20])
def test_the_same_samples_as_of_the_whole(container: str, codec: str, size: int) -> None:
    data = encode(container, codec, "mono")
    whole, found = decode(data, 16000).samples, stream(data, size)
    count = min(len(whole), len(found))
    assert abs(len(whole) - len(found)) < 1600
    assert np.abs(whole[:count] - found[:count]).max() < 1e-3


@pytest.mark.parametrize("size", [997, 1 << 20])
def test_fragments_of_mp4(size: int) -> None:
    data = encode("mp4", "aac", "mono", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    whole, found = decode(data, 16000).samples, stream(data, size)
    count = min(len(whole), len(found))
    assert abs(len(whole) - len(found)) < 1600
    assert np.abs(whole[:count] - found[:count]).max() < 1e-3


def test_one_channel_of_two() -> None:
    data = encode("flac", "flac", "stereo")
    assert len(stream(data, 4096, 1)) == len(decode(data, 16000).samples)
    with pytest.raises(BadAudio, match="2 channels"):
        stream(data, 4096, 2)


def test_samples_come_before_the_end() -> None:
    data = encode("ogg", "libopus", "mono")
    pieces: list[Samples] = []
    decoder = StreamDecoder(16000, pieces.append)
    decoder.push(data[: len(data) * 3 // 4])
    deadline = time.monotonic() + 10
    while not pieces and time.monotonic() < deadline:
        time.sleep(0.005)
    assert pieces
    decoder.close()


@pytest.mark.parametrize("data", [b"no audio at all, but text " * 8000, b"\x1a\x45\xdf\xa3" + b"\xff" * 9000])
def test_what_cannot_be_decoded_is_an_error(data: bytes) -> None:
    decoder = StreamDecoder(16000, lambda samples: None)
    decoder.push(data)
    with pytest.raises(BadAudio):
        decoder.finish()
    with pytest.raises(BadAudio):
        decoder.push(b"more")


def test_a_stream_of_nothing_is_nothing() -> None:
    decoder = StreamDecoder(16000, lambda samples: None)
    decoder.finish()
