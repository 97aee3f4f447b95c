"""WAV headers that lie, and what else is in such files than samples."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from support.encoded_audio import encode

from speechmlx.audio.decode import decode
from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadAudio

RATE = 16000
SAMPLES = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
PCM = to_pcm16(SAMPLES)
UNKNOWN = 0xFFFFFFFF


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def form(
    *, code: int = 1, channels: int = 1, rate: int = RATE, byte_rate: int = 32000, align: int = 2, bits: int = 16
) -> bytes:
    return struct.pack("<HHIIHH", code, channels, rate, byte_rate, align, bits)


def wav(
    data: bytes = PCM, size: int | None = None, head: bytes = form(), riff: bytes = b"RIFF", more: bytes = b""
) -> bytes:
    body = b"WAVE" + more + chunk(b"fmt ", head) + b"data" + struct.pack("<I", len(data) if size is None else size)
    return riff + struct.pack("<I", UNKNOWN if riff != b"RIFF" else len(body + data)) + body + data


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (form(align=4, byte_rate=64000), "16 bits per sample and 1 channels.*2 bytes.*align says 4.*byte rate 64000"),
        (form(align=4), "16 bits per sample and 1 channels.*2 bytes.*align says 4.*byte rate 32000"),
        (form(bits=8), "8 bits per sample and 1 channels.*1 bytes.*align says 2"),
        (form(bits=24), "24 bits per sample and 1 channels.*3 bytes.*align says 2"),
        (form(channels=2), "16 bits per sample and 2 channels.*4 bytes.*align says 2"),
        (form(code=3, bits=32), "32 bits per sample and 1 channels.*4 bytes.*align says 2"),
    ],
)
def test_fields_that_disagree_are_named(head: bytes, fields: str) -> None:
    with pytest.raises(BadAudio, match=f"the WAV header contradicts itself: {fields}"):
        decode(wav(head=head), RATE)


@pytest.mark.parametrize(
    "head",
    [
        form(byte_rate=64000),  # what widely copied code for browsers writes
        form(byte_rate=0),
        form(align=0),
        form(bits=0),
        form()[:14],
        form(bits=12),
        form(code=0xFFFE) + struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71"),
    ],
)
def test_fields_that_say_nothing_or_little_are_no_trouble(head: bytes) -> None:
    assert to_pcm16(decode(wav(head=head), RATE).samples) == PCM


@pytest.mark.parametrize("size", [0, UNKNOWN, 0x7FFFF000, len(PCM)])
@pytest.mark.parametrize(
    "tail",
    [
        chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"Lavf61.1.100") + chunk(b"INAM", b"name")),
        chunk(b"_PMX", b"<?xpacket?>" * 3_000),
        chunk(b"LIST", b"INFO" + chunk(b"IART", b"odd")) + chunk(b"id3 ", bytes(range(256)) * 4_000),
        chunk(b"cue ", bytes(28))[:-1] + b"\1",
        chunk(b"LIST", b"INFOISFT\3\0\0\0abc"),
        chunk(b"LIST", b"INFOISFT\3\0\0\0abc")[:-1],
        b"",
    ],
)
def test_chunks_behind_the_samples_are_not_played(size: int, tail: bytes) -> None:
    assert to_pcm16(decode(wav(PCM + tail, size), RATE).samples) == PCM


@pytest.mark.parametrize("size", [0, UNKNOWN])
def test_nor_are_they_behind_compressed_ones(size: int) -> None:
    data = encode("wav", "pcm_mulaw", samples=SAMPLES, rate=RATE)
    at = data.index(b"data") + 4
    assert struct.unpack("<I", data[at : at + 4]) == (RATE,)
    tail = chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"abcdef" * 1_000))
    assert len(decode(data[:at] + struct.pack("<I", size) + data[at + 4 : at + 4 + RATE] + tail, RATE).samples) == RATE


@pytest.mark.parametrize("size", [0, UNKNOWN])
def test_sound_alone_is_played_to_its_end_whatever_it_is(size: int) -> None:
    for data in (bytes(8000), b"abcd" * 2000, b"LIST\4\0\0\0" * 3, np.random.default_rng(0).bytes(5_000_000)):
        assert len(decode(wav(PCM + data, size), RATE).samples) == RATE + len(data) // 2


@pytest.mark.parametrize("size", [len(PCM) // 2, 2, len(PCM) - 100])
def test_a_size_with_more_sound_behind_it_is_not_the_end(size: int) -> None:
    assert to_pcm16(decode(wav(size=size), RATE).samples) == PCM


@pytest.mark.parametrize(
    "more", [b"TAG" + b"title".ljust(125), b"APETAGEX" + bytes(200), wav(), b"LIST\xff\0\0\0INFO", b"\0"]
)
def test_what_other_programs_leave_behind_the_end_is_not_played(more: bytes) -> None:
    assert to_pcm16(decode(wav() + more, RATE).samples) == PCM


@pytest.mark.parametrize("riff", [b"RF64", b"BW64"])
@pytest.mark.parametrize("tail", [b"", chunk(b"axml", b"<xml/>" * 100)])
def test_the_long_kinds_of_wav(riff: bytes, tail: bytes) -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(PCM), RATE, 0))
    assert to_pcm16(decode(wav(PCM + tail, UNKNOWN, riff=riff, more=sizes), RATE).samples) == PCM


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7, 8, 24, 100])
@pytest.mark.parametrize(("bits", "kind"), [(16, "<i2"), (32, "<i4")])
def test_channels_of_any_number(channels: int, bits: int, kind: str) -> None:
    data = np.repeat((SAMPLES * 2.0 ** (bits - 1)).astype(kind), channels).tobytes()
    align = channels * bits // 8
    head = form(channels=channels, align=align, byte_rate=align * RATE, bits=bits)
    np.testing.assert_allclose(decode(wav(data, head=head), RATE).samples, SAMPLES, atol=1e-4)


@pytest.mark.parametrize("channels", [0, 257])
def test_a_number_of_channels_that_nobody_has(channels: int) -> None:
    with pytest.raises(BadAudio, match=f"the WAV file has {channels} channels; allowed: 1 to 256"):
        decode(wav(head=form(channels=channels, align=2 * channels)), RATE)


@pytest.mark.parametrize("data", [wav(b""), wav(b"", UNKNOWN), wav(b"", 0) + chunk(b"LIST", b"INFO"), wav()[:44]])
def test_a_header_alone_holds_no_samples(data: bytes) -> None:
    with pytest.raises(BadAudio, match="the audio holds no samples"):
        decode(data, RATE)
