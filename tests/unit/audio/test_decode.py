"""Decoding: every format by its content, streaming headers, damage, limits."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.encoded_audio import ENCODINGS, RATE, SECONDS, TONE, encode, loudness_at

from speechmlx.audio.decode import blocks, decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.errors import BadAudio, TooLarge


@pytest.mark.parametrize(("container", "codec"), ENCODINGS)
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_every_format_is_told_from_its_content_mixed_down_and_resampled(
    container: str, codec: str, layout: str
) -> None:
    audio = decode(encode(container, codec, layout), 16000)
    assert audio.rate == 16000
    assert audio.samples.dtype == np.float32
    assert audio.duration == pytest.approx(SECONDS, abs=0.08)
    assert loudness_at(audio.samples, 16000, 440) == pytest.approx(0.5 if layout == "mono" else 0.25, rel=0.05)


@pytest.mark.parametrize(("container", "codec"), [e for e in ENCODINGS if e[0] != "adts"])
def test_what_an_encoder_puts_in_front_is_taken_off_again(container: str, codec: str) -> None:
    """All but bare AAC say how much that is."""
    burst = np.zeros_like(TONE)
    burst[48000:49000] = TONE[:1000]
    loud = np.flatnonzero(np.abs(decode(encode(container, codec, samples=burst), RATE).samples) > 0.1)
    assert (loud[0], loud[-1]) == pytest.approx((48007, 48993), abs=10)


@pytest.mark.parametrize(("container", "codec"), [e for e in ENCODINGS if e[0] not in ("mp4", "ipod")])
def test_half_a_file_gives_half_the_audio(container: str, codec: str) -> None:
    data = encode(container, codec)
    assert decode(data[: len(data) // 2], 16000).duration == pytest.approx(SECONDS / 2, abs=0.4)


def test_an_m4a_that_lost_its_index_says_so() -> None:
    data = encode("mp4", "aac")
    with pytest.raises(BadAudio, match=r"looks like M4A/MP4 but cannot be read, it may be truncated"):
        decode(data[: len(data) // 2], 16000)


def test_tags_in_no_known_encoding_are_no_trouble() -> None:
    text = b"\x03caf\xe9 \xff\xfe"  # says UTF-8 and is not
    frame = b"TIT2" + struct.pack(">IH", len(text), 0) + text
    tagged = b"ID3\x04" + bytes(5) + bytes([len(frame)]) + frame + encode("mp3", "libmp3lame")
    assert decode(tagged, 16000).duration == pytest.approx(SECONDS, abs=0.08)


PCM = to_pcm16(TONE)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF, len(PCM) * 2])
def test_a_wav_header_written_before_the_length_was_known(size: int) -> None:
    header = wav_header(RATE, None)[:-4] + struct.pack("<I", size)
    assert len(decode(header + PCM, RATE).samples) == len(TONE)


def test_our_own_headers_are_read_back_by_the_standard_library() -> None:
    with wave.open(io.BytesIO(wav_header(24000, 3) + PCM[:6])) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()) == (24000, 1, 2, 3)


def test_a_length_beyond_riff_is_marked_unknown() -> None:
    assert wav_header(48000, 2**31)[40:] == b"\xff\xff\xff\xff" == wav_header(48000, None)[40:]
    assert wav_header(48000, 2**31)[4:8] == b"\xff\xff\xff\xff"


def test_chunks_around_the_samples_are_not_taken_for_samples() -> None:
    header = wav_header(RATE, len(TONE))
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\x00"
    data = header[:12] + extra + header[12:] + PCM + extra
    np.testing.assert_array_equal(decode(data, RATE).samples, decode(header + PCM, RATE).samples)


def test_pcm16_wav_at_its_own_rate_is_exact() -> None:
    audio = decode(wav_header(RATE, len(TONE)) + PCM, RATE)
    assert to_pcm16(audio.samples) == PCM


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"nothing \(0 bytes\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG image"),
        (b"<html><body>no</body></html>", "HTML"),
        (b'{"audio": 1}', "JSON text"),
        (b"#EXTM3U\nhttp://127.0.0.1:1/x.mp3\n", "an M3U playlist"),
        (b"hello, this is no audio", "plain text"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "plain text"),
        (bytes(range(1, 64)), "starts with 01 02 03"),
    ],
)
def test_what_is_no_audio_is_named_and_the_allowed_formats_too(data: bytes, message: str) -> None:
    with pytest.raises(BadAudio, match=message) as caught:
        decode(data, 16000)
    assert "allowed: WAV, FLAC, MP3, OGG (Opus or Vorbis), M4A/MP4" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (wav_header(16000, 0), "holds no samples"),
        (b"RIFF\x00\x00\x00\x00WAVE", "no 'data' chunk"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", "no format"),
        (wav_header(10, 100) + bytes(200), "sample rate of 10 Hz; allowed: 1000 to 768000"),
        (b"fLaC" + bytes(100), "looks like FLAC but cannot be"),
        (b"OggS" + bytes(100), "looks like OGG but"),
        (b"ID3\x04" + bytes(100), "looks like MP3 but"),
    ],
)
def test_damaged_audio_says_what_it_looks_like(data: bytes, message: str) -> None:
    with pytest.raises(BadAudio, match=message):
        decode(data, 16000)


def test_a_video_without_sound_is_refused() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(BadAudio, match="no audio track"):
        decode(out.getvalue(), 16000)


def test_headerless_pcm_needs_its_rate() -> None:
    with pytest.raises(BadAudio, match="sample_rate"):
        decode(PCM, 16000)
    assert decode(PCM, 16000, pcm_rate=RATE).duration == SECONDS
    assert decode(wav_header(RATE, len(TONE)) + PCM, 16000, pcm_rate=8000).duration == SECONDS
    with pytest.raises(BadAudio, match="sample_rate 7 is outside 1000 to 768000"):
        decode(PCM, 16000, pcm_rate=7)


def test_headerless_pcm_that_looks_like_mp3_is_pcm_when_its_rate_is_given() -> None:
    assert decode(b"\xff\xfb\x90\x00" + PCM, RATE, pcm_rate=RATE).duration > SECONDS


def test_a_small_file_that_decodes_to_hours_is_stopped() -> None:
    silence = encode("flac", "flac", samples=np.zeros(48000 * 120, np.float32))
    assert len(silence) < 60_000
    with pytest.raises(TooLarge, match="longer than the limit of 60 seconds"):
        decode(silence, 16000, max_seconds=60)


def test_blocks_are_the_whole_in_pieces() -> None:
    data = encode("flac", "flac", samples=np.tile(TONE, 4))
    pieces = list(blocks(data, 16000))
    assert [len(piece) for piece in pieces[:-1]] == pytest.approx([16000] * (len(pieces) - 1), abs=4000)
    np.testing.assert_array_equal(np.concatenate(pieces), decode(data, 16000).samples)


def test_files_and_paths_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_header(RATE, len(TONE)) + PCM)
    assert decode(path, 16000).duration == SECONDS
    with path.open("rb") as file:
        assert decode(file, 16000).duration == SECONDS


WHOLE = {name: encode(*name, samples=TONE[:9600]) for name in ENCODINGS}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(ENCODINGS), st.data())
def test_any_damage_gives_audio_or_bad_audio(name: tuple[str, str], data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[name][: data.draw(st.integers(0, len(WHOLE[name])))])
    for _ in range(data.draw(st.integers(0, 6)) if damaged else 0):
        damaged[data.draw(st.integers(0, min(200, len(damaged)) - 1))] = data.draw(st.integers(0, 255))
    try:
        audio = decode(bytes(damaged), 16000, max_seconds=600)
    except (BadAudio, TooLarge):
        return
    assert np.isfinite(audio.samples).all()
