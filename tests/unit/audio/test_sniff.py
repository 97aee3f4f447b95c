"""What a file is: behind what people put in front of it, in mid-stream, and never where there is no sound."""

from __future__ import annotations

import io
import re
import struct
from typing import Any

import av
import numpy as np
import pytest
from support.encoded_audio import ENCODINGS, SECONDS, TONE, encode, loudness_at, write

from speechmlx.audio.decode import decode
from speechmlx.audio.sniff import locate
from speechmlx.errors import BadAudio

RANDOM = np.random.default_rng(0)


def tag(body: bytes, version: int = 4, footer: bool = False) -> bytes:
    """An ID3v2 tag."""
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    rest = bytes([version, 0, 0x10 if footer else 0]) + size
    return b"ID3" + rest + body + (b"3DI" + rest if footer else b"")


def art(size: int) -> bytes:
    picture = b"\x00image/jpeg\x00\x03\x00\xff\xd8\xff" + RANDOM.bytes(size)
    return b"APIC" + struct.pack(">IH", len(picture), 0) + picture


PREAMBLES = {
    "a tag": tag(bytes(2000)),
    "a tag with art": tag(art(300_000)),
    "two tags": tag(art(70_000), version=3) + tag(bytes(100)),
    "a tag with a footer": tag(bytes(500), footer=True),
    "a tag and padding": tag(b"") + bytes(999),
    "zeros": bytes(731),
    "many zeros": bytes(100_001),
    "one zero": b"\0",
    "a line break": b"\r\n",
    "a byte order mark": b"\xef\xbb\xbf",
    "all of them": b"\xef\xbb\xbf\r\n " + tag(bytes(9)) + bytes(3),
}


@pytest.mark.parametrize(("container", "codec"), [e for e in ENCODINGS if e[0] != "wav" or e[1] == "pcm_s16le"])
def test_what_stands_before_the_sound_is_skipped(container: str, codec: str) -> None:
    data = encode(container, codec, samples=TONE[:9600])
    alone = decode(data, 16000).samples
    for name, before in PREAMBLES.items():
        np.testing.assert_array_equal(decode(before + data, 16000).samples, alone, err_msg=name)


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac"), ("mp2", "mp2")])
@pytest.mark.parametrize("cut", [1, 100, 3000, 7777])
def test_a_stream_that_begins_in_mid_frame(container: str, codec: str, cut: int) -> None:
    data = encode(container, codec, samples=np.tile(TONE, 2))
    for before in (b"", tag(art(70_000))):
        audio = decode(before + data[cut:], 16000)
        assert audio.duration == pytest.approx(2 * SECONDS * (1 - cut / len(data)), abs=0.1)
        assert loudness_at(audio.samples, 16000, 440) == pytest.approx(0.5, rel=0.07)


def video(container: str, codec: str) -> bytes:
    """A second of noise to look at, with as much to hear in frames of MP3."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        pictures: Any = file.add_stream(codec, rate=25)
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound: Any = file.add_stream("libmp3lame", rate=44100, layout="mono")
        for place in range(38):
            noise = av.VideoFrame.from_ndarray(RANDOM.integers(0, 255, (64, 64, 3), np.uint8), format="rgb24")
            file.mux(pictures.encode(noise))
            heard = av.AudioFrame.from_ndarray(RANDOM.normal(0, 0.1, (1, 1152)).astype("f4"), "fltp", "mono")
            heard.sample_rate, heard.pts = 44100, place * 1152
            file.mux(sound.encode(heard))
        file.mux(pictures.encode(None))
        file.mux(sound.encode(None))
    return out.getvalue()


NO_SOUND = {
    "plain text (UTF-16)": "hello, this is no audio".encode("utf-16"),
    "plain text": "Привет, это не звук".encode(),
    "plain text, four letters": b"Get free stuff now, and skip the queue",
    "plain text, Latin-1": "Schöne Grüße aus Köln".encode("latin-1"),
    "plain text, marked": b"\xef\xbb\xbfhello",
    "HTML or XML text": b"\xef\xbb\xbf\r\n<!doctype html><title>502</title>",
    "JSON text": b' \n{"error": "no such file"}',
    "base64 text": b"UklGRiQAAABXQVZFZm10IBAAAAABAAEA",
    "base64 text, as a URL": b"data:audio/wav;base64,UklGRiQAAABX",
    "a PDF document": b"%PDF-1.7\n" + RANDOM.bytes(70_000),
    "a JPEG image": b"\xff\xd8\xff\xe0\0\x10JFIF" + RANDOM.bytes(70_000),
    "a ZIP archive": b"PK\x03\x04" + RANDOM.bytes(70_000),
    "an AVI video": video("avi", "mpeg4"),
    "an MPEG transport stream": video("mpegts", "mpeg2video"),
    "an MPEG video": video("vob", "mpeg2video"),
    "a Flash video": video("flv", "flv"),
    "nothing but zeros": bytes(100_000),
    "nothing but zeros and blanks": b"\r\n \r\n",
    "of no known kind": b"\xff\xfb\x90\x00" * 20_000,
    "of no known kind, AAC's bits": b"\xff\xf1\x50\x80" * 20_000,
}


@pytest.mark.parametrize(("what", "data"), NO_SOUND.items(), ids=NO_SOUND)
def test_what_is_no_sound_is_named(what: str, data: bytes) -> None:
    with pytest.raises(BadAudio, match=f"the audio is {re.escape(what.partition(',')[0])}.*allowed: WAV") as caught:
        decode(data, 16000)
    assert "looks like" not in str(caught.value)


def test_nothing_is_found_in_noise() -> None:
    for level in (1, 10, 100, 1000, 30_000):
        noise = RANDOM.normal(0, level, 45_000).clip(-32768, 32767).astype("<i2").tobytes()
        assert locate(io.BytesIO(noise), False) is locate(io.BytesIO(noise[1:]), False) is None
    assert all(locate(io.BytesIO(RANDOM.bytes(90_000)), False) is None for _ in range(20))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", [tag(b""), b"\xef\xbb\xbf\0"])
def test_endless_preambles_are_given_up(part: bytes) -> None:
    with pytest.raises(BadAudio):
        decode(part * 2_000_000, 16000)


def test_silent_pcm_is_pcm_when_its_rate_is_given() -> None:
    assert decode(bytes(2000) + b"\x01\x00" * 1000, 16000, pcm_rate=16000).duration == 2000 / 16000


def recorded(container: str, codec: str) -> bytes:
    """Eight seconds, as a browser records them: in pieces that are written at once."""
    out = io.BytesIO()
    settings = {"cluster_time_limit": "1000", "movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}
    with av.open(out, "w", format=container, options=settings) as file:
        stream = file.add_stream(codec, rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.tile(TONE, 4)[None], "fltp", "mono")
        frame.sample_rate = 48000
        write(file, stream, frame)
    return out.getvalue()


WEBM, OGG, MP4 = recorded("webm", "libopus"), recorded("ogg", "libopus"), recorded("mp4", "aac")
PIECES = {
    "WebM: a cluster": ("WebM", WEBM[WEBM.index(b"\x1f\x43\xb6\x75", len(WEBM) // 2) :]),
    "WebM: a block": ("WebM", WEBM[WEBM.index(b"\xa3", WEBM.index(b"\x1f\x43\xb6\x75", len(WEBM) // 2)) :]),
    "WebM: its info": ("WebM", WEBM[WEBM.index(b"\x15\x49\xa9\x66") :]),
    "OGG: a page": ("OGG", OGG[OGG.index(b"OggS", len(OGG) // 2) :]),
    "M4A/MP4: a fragment": ("M4A/MP4", MP4[MP4.index(b"moof", len(MP4) // 2) - 4 :]),
}


@pytest.mark.parametrize(("name", "data"), PIECES.values(), ids=PIECES)
def test_a_piece_without_its_beginning_says_what_to_do(name: str, data: bytes) -> None:
    with pytest.raises(BadAudio, match=f"a piece of an? {name} recording without its beginning; send the first piece"):
        decode(data, 16000)


@pytest.mark.parametrize("data", [WEBM, OGG, MP4], ids=["WebM", "OGG", "MP4"])
def test_the_first_pieces_alone_are_heard(data: bytes) -> None:
    assert decode(data[: len(data) // 2], 16000).duration == pytest.approx(4, abs=1.2)
