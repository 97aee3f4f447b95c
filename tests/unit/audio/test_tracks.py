"""Files with several tracks, and tracks with many channels."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from av.stream import Disposition
from support.encoded_audio import RATE, TONE, loudness_at, write

from speechmlx.audio.decode import decode
from speechmlx.errors import BadAudio

HERTZ = (440, 1000, 2000)
PLAIN, DEFAULT = Disposition(0), Disposition.default


def tracks(container: str, codec: str, *dispositions: Disposition, layout: str = "mono", channels: int = 1) -> bytes:
    """Two seconds with a track for each disposition, a tone of HERTZ in each of its channels."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        streams = [file.add_stream(codec, rate=RATE, layout=layout) for _ in dispositions]
        for stream, disposition in zip(streams, dispositions, strict=True):
            stream.disposition = disposition
            if channels > 8 and codec == "libopus":
                stream.options = {"mapping_family": "255"}
        for stream, hertz in zip(streams, HERTZ, strict=False):
            tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(len(TONE)) / RATE)
            frame = av.AudioFrame.from_ndarray(np.repeat(tone, channels).astype("f4")[None], "flt", layout)
            frame.sample_rate = RATE
            write(file, stream, frame)
    return out.getvalue()


def heard(data: bytes) -> list[int]:
    """Which of HERTZ are in it."""
    audio = decode(data, 16000)
    assert audio.duration == pytest.approx(2, abs=0.05)
    return [hertz for hertz in HERTZ if loudness_at(audio.samples, 16000, hertz) > 0.2]


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("matroska", "libopus")])
@pytest.mark.parametrize(
    ("dispositions", "hertz"),
    [
        ((PLAIN, PLAIN), 440),
        ((DEFAULT, PLAIN), 440),
        ((PLAIN, DEFAULT), 1000),
        ((PLAIN, PLAIN, DEFAULT), 2000),
        ((Disposition.comment, PLAIN), 1000),
        ((Disposition.comment | DEFAULT, PLAIN), 1000),
        ((Disposition.hearing_impaired, Disposition.visual_impaired, PLAIN), 2000),
        ((Disposition.visual_impaired,), 440),
    ],
)
def test_the_default_track_is_heard_and_what_is_made_for_few_is_not(
    container: str, codec: str, dispositions: tuple[Disposition, ...], hertz: int
) -> None:
    assert heard(tracks(container, codec, *dispositions)) == [hertz]


def unknown(data: bytes, count: int) -> bytes:
    """With the codec of the first `count` tracks renamed to one that nobody decodes."""
    return data.replace(b"mp4a", b"apac", count).replace(b"esds", b"dapa", count)


def test_a_track_that_nobody_decodes_is_passed_over() -> None:
    data = tracks("mov", "aac", DEFAULT, PLAIN)
    assert heard(unknown(data, 1)) == [1000]
    with pytest.raises(BadAudio, match="looks like M4A/MP4 but cannot be decoded: no decoder knows its codec"):
        decode(unknown(data, -1), 16000)


@pytest.mark.parametrize(("container", "codec"), [("mov", "libmp3lame"), ("matroska", "libmp3lame")])
def test_a_track_that_gives_no_frame_is_followed_by_the_next(container: str, codec: str) -> None:
    """All its packets are there, and there is nothing in them."""
    data = bytearray(tracks(container, codec, DEFAULT, PLAIN))
    with av.open(io.BytesIO(bytes(data)), "r") as file:
        broken = [bytes(packet) for packet in file.demux(file.streams.audio[0]) if packet.size]
    for packet in broken:
        at = data.index(packet)
        data[at : at + len(packet)] = bytes(len(packet))
    assert heard(bytes(data)) == [1000]


WIDE = [
    ("ogg", "libopus", "7.1", 8),
    ("webm", "libopus", "22.2", 24),
    ("flac", "flac", "7.1", 8),
    ("flac", "flac", "2.1", 3),
    ("ipod", "aac", "7.1", 8),
    ("adts", "aac", "5.0", 5),
    ("caf", "pcm_s16be", "7.1", 8),
    ("aiff", "pcm_s16be", "7.1", 8),
    ("aiff", "pcm_s16be", "hexadecagonal", 16),
    ("wav", "pcm_mulaw", "6.1", 7),
]


@pytest.mark.parametrize(("container", "codec", "layout", "channels"), WIDE)
def test_channels_of_any_number_and_order(container: str, codec: str, layout: str, channels: int) -> None:
    assert heard(tracks(container, codec, PLAIN, layout=layout, channels=channels)) == [440]
