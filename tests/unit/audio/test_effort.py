"""Files that are long work for no sound are given up, wherever a demuxer searches."""

from __future__ import annotations

import io
import random

import pytest

from speechmlx.audio import effort
from speechmlx.audio.decode import blocks, count_channels
from speechmlx.audio.effort import CheckedFile, Effort
from speechmlx.errors import BadAudio


def adts(size: int) -> bytes:
    """AAC frames whose headers are right and whose contents are noise."""
    chance, made = random.Random(1), bytearray()
    while len(made) < size:
        length = chance.randrange(60, 200)
        head = (0xFF, 0xF1, 0x50, 0x80 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC)
        made += bytes(head) + chance.randbytes(length - 7)
    return bytes(made)


FILES = {"adts": adts(8 << 20), "free": b"\0\0\0\x08free" * (1 << 20)}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_noise_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "START", 0.1)
    for read in (lambda file: sum(map(len, blocks(file, 16000))), count_channels):
        if kind == "adts" and read is count_channels:
            continue  # its first frame that decodes is enough
        file = io.BytesIO(FILES[kind])
        with pytest.raises(BadAudio, match="too much work"):
            read(file)
        assert file.tell() < len(FILES[kind])


def test_sound_gives_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "START", 0.0)
    work = Effort()
    file = CheckedFile(io.BytesIO(b"abc"), work)
    work.made(3600)
    assert (file.read(1), file.seek(0, 2), file.tell()) == (b"a", 3, 3)


def test_a_wav_file_of_empty_chunks() -> None:
    data = b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 20_000
    with pytest.raises(BadAudio, match="more than 10000 chunks"):
        list(blocks(io.BytesIO(data), 16000))
