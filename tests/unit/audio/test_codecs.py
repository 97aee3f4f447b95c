"""Encoders: what they write is that format, as long as what came in, in pieces as in one."""

from __future__ import annotations

import io
from typing import Literal

import av
import numpy as np
import pytest
import soundfile

from speechmlx.audio.codecs import PCM_RATE, SampleEncoder, encoder
from speechmlx.audio.decode import decode
from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import to_pcm16

SECONDS = 2
LAG = 0.15
"""Seconds a codec may add."""


def tone(rate: int) -> bytes:
    return to_pcm16((0.4 * np.sin(2 * np.pi * 440 * np.arange(rate * SECONDS) / rate)).astype(np.float32))


def written(format: str, rate: int, piece: int) -> bytes:
    made, pcm16 = encoder(format, rate), tone(rate)
    pieces = [made.push(pcm16[start : start + piece]) for start in range(0, len(pcm16), piece)]
    return b"".join([*pieces, made.finish()])


@pytest.mark.parametrize("format", MEDIA_TYPES)
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
def test_what_is_written_sounds_the_same(format: str, rate: int) -> None:
    data = written(format, rate, 9600)
    heard = decode(data, 24000, pcm_rate=PCM_RATE if format == "pcm" else None)
    assert heard.duration == pytest.approx(SECONDS, abs=LAG)
    second = heard.samples[12000:36000]
    assert np.abs(np.fft.rfft(second)).argmax() == 440
    assert np.sqrt(np.mean(second**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("format", sorted(set(MEDIA_TYPES) - {"opus"}))
def test_pieces_give_what_the_whole_gives(format: str) -> None:
    assert written(format, 24000, 1001 * 2) == written(format, 24000, 1 << 30)


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_sound_comes_before_the_end(format: str) -> None:
    made = encoder(format, 24000)
    first = made.push(tone(24000)[: 24000 * 2])
    assert len(first) > 1000


@pytest.mark.parametrize(("format", "patched"), [("wav", 44), ("flac", 256), ("mp3", 0), ("pcm", 0), ("opus", 0)])
@pytest.mark.parametrize("seconds", [0, 0.001, SECONDS])
def test_the_head_of_a_whole_file_has_its_length(format: str, patched: int, seconds: float) -> None:
    made, samples = encoder(format, 24000), round(24000 * seconds)
    pcm16 = tone(24000)[: 2 * samples]
    data = b"".join([made.push(pcm16[: samples // 2 * 2]), made.push(pcm16[samples // 2 * 2 :]), made.finish()])
    assert len(made.head) == min(patched, len(data))
    whole = made.head + data[len(made.head) :]
    assert whole[len(made.head) :] == data[len(made.head) :]
    if format in ("wav", "flac") and samples:
        assert soundfile.info(io.BytesIO(whole)).frames == samples
        read, _ = soundfile.read(io.BytesIO(whole), dtype="int16")
        assert read.tobytes() == pcm16


def test_samples_are_never_cut_in_two() -> None:
    for made in (encoder("pcm", 22050), encoder("wav", 22050), SampleEncoder(22050, AudioFormat("pcm16", 8000), True)):
        pieces = [made.push(tone(22050)[start : start + 1002]) for start in range(0, 9000, 1002)]
        assert all(len(piece) % 2 == 0 for piece in [*pieces, made.finish()])


@pytest.mark.parametrize("format", MEDIA_TYPES)
def test_nothing_in_is_a_quiet_end(format: str) -> None:
    data = encoder(format, 24000).finish()
    assert len(data) < 9000


@pytest.mark.parametrize(
    ("format", "rate", "bits"),
    [("mp3", 22050, 32_000), ("opus", 48000, 12_000), ("aac", 22050, 96_000), ("flac", 8000, None)],
)
def test_a_client_chooses_rate_and_bits(format: str, rate: int, bits: int | None) -> None:
    made, pcm16 = encoder(format, 24000, rate, bits), tone(24000)
    data = made.push(pcm16) + made.finish()
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.audio[0].rate == rate
    heard = decode(data, 24000)
    assert heard.duration == pytest.approx(SECONDS, abs=LAG)
    if bits:
        assert len(data) * 8 / SECONDS < 2 * bits


@pytest.mark.parametrize(
    ("encoding", "rate", "width"),
    [("pcm16", 24000, 2), ("pcm16", 48000, 2), ("ulaw", 8000, 1), ("alaw", 16000, 1)],
)
def test_samples_with_and_without_a_header(encoding: Literal["pcm16", "ulaw", "alaw"], rate: int, width: int) -> None:
    format, pcm16 = AudioFormat(encoding, rate), tone(24000)

    def samples(wav: bool, piece: int) -> bytes:
        made = SampleEncoder(24000, format, wav)
        pieces = [made.push(pcm16[start : start + piece]) for start in range(0, len(pcm16), piece)]
        return b"".join([*pieces, made.finish()])

    bare, file = samples(False, 1 << 30), samples(True, 9600)
    assert len(bare) == SECONDS * rate * width and file[44:] == bare
    heard = decode(file, 24000)
    assert heard.duration == pytest.approx(SECONDS, abs=0.01)
    assert np.abs(np.fft.rfft(heard.samples[12000:36000])).argmax() == 440
    assert SampleEncoder(24000, format, True).finish()[:4] == b"RIFF"
