"""Bytes in any format, cut anywhere, become the same samples."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.encoded_audio import encode
from support.scripted_input import ScriptedInput

from speechmlx.audio.decode import decode
from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.input.audio import AudioInput
from speechmlx.conversation.settings import Settings
from speechmlx.errors import BadAudio, EngineFailed, RateLimited, SpeechError
from speechmlx.types import Kind

if TYPE_CHECKING:
    from speechmlx.types import Samples

TONE = (0.5 * np.sin(2 * np.pi * 300 * np.arange(24000) / 24000)).astype(np.float32)


class Collected:
    """An AudioInput and what it gave."""

    def __init__(self, format: AudioFormat, clean: bool = False, engines: ScriptedInput | None = None) -> None:
        self.pieces: list[Samples] = []
        self.errors: list[SpeechError] = []
        self.engines = engines or ScriptedInput()
        settings = Settings(input=format, clean=clean)
        self.input = AudioInput(self.engines, settings, self._take, self.errors.append)

    async def _take(self, samples: Samples) -> None:
        self.pieces.append(samples)

    @property
    def samples(self) -> Samples:
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, np.float32)


async def push(collected: Collected, data: bytes, size: int) -> None:
    for place in range(0, len(data), size):
        await collected.input.push(data[place : place + size])


@pytest.mark.parametrize("encoding", ["pcm16", "int32", "float32", "ulaw", "alaw"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_samples_of_every_encoding_cut_anywhere(encoding: str, size: int) -> None:
    format = AudioFormat(encoding, 16000)  # type: ignore[arg-type]
    collected = Collected(format)
    tone = TONE[:2000]
    await push(collected, format.encode(tone), size)
    await collected.input.flush()
    assert collected.samples == pytest.approx(tone, abs=0.03 if "law" in encoding else 1e-4)


async def test_another_rate_is_resampled() -> None:
    collected = Collected(AudioFormat("pcm16", 24000))
    await push(collected, AudioFormat().encode(TONE), 999)
    await collected.input.flush()
    assert len(collected.samples) == 16000


async def test_half_a_sample_is_dropped_by_a_flush() -> None:
    collected = Collected(AudioFormat("pcm16", 16000))
    await collected.input.push(b"\1\2\3")
    await collected.input.flush()
    await collected.input.push(b"\1\2")
    assert len(collected.samples) == 2


@pytest.mark.parametrize(("channel", "expected"), [(None, 0.25), (0, 0.5), (1, 0.0)])
async def test_channels_are_mixed_or_one_is_chosen(channel: int | None, expected: float) -> None:
    collected = Collected(AudioFormat("float32", 16000, 2, channel))
    left = np.stack([np.full(16000, 0.5, np.float32), np.zeros(16000, np.float32)], axis=1)
    await push(collected, left.tobytes(), 64_000)
    assert collected.samples.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("webm", "libopus"), ("ogg", "libopus"), ("mp3", "libmp3lame"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
async def test_a_container_is_a_stream_whatever_its_format_is(container: str, codec: str) -> None:
    data = encode(container, codec, "mono")
    collected = Collected(AudioFormat("container"))
    await push(collected, data, 997)
    await collected.input.finish()
    whole = decode(data, 16000).samples
    count = min(len(whole), len(collected.samples))
    assert abs(len(whole) - len(collected.samples)) < 1600
    assert np.abs(whole[:count] - collected.samples[:count]).max() < 1e-3


async def test_what_is_no_container_is_named() -> None:
    collected = Collected(AudioFormat("container"))
    with pytest.raises(BadAudio, match="WebM"):  # noqa: PT012 - either call may notice it first
        await push(collected, b"<html>" * 20_000, 50_000)
        await collected.input.finish()


async def test_one_container_after_another() -> None:
    data = encode("flac", "flac", "mono")
    collected = Collected(AudioFormat("container"))
    for _ in range(2):
        await push(collected, data, 4096)
        await collected.input.finish()
    assert len(collected.samples) == 2 * len(decode(data, 16000).samples)


async def test_a_container_goes_on_after_a_flush() -> None:
    data = encode("ogg", "libopus", "mono")
    collected = Collected(AudioFormat("container"))
    half = len(data) * 3 // 4
    await collected.input.push(data[:half])
    await collected.input.flush()
    first = len(collected.samples)
    await collected.input.push(data[half:])
    await collected.input.finish()
    assert 0 < first < len(collected.samples)
    assert abs(len(collected.samples) - len(decode(data, 16000).samples)) < 1600


async def test_what_is_no_container_is_an_error_of_one_flush() -> None:
    collected = Collected(AudioFormat("container"))
    await collected.input.push(b"<html>" * 20_000)
    with pytest.raises(BadAudio):
        await collected.input.flush()
    await collected.input.flush()
    await collected.input.push(encode("flac", "flac", "mono"))
    await collected.input.finish()
    assert len(collected.samples) == 32000


async def test_noise_reduction_gives_everything_by_the_flush() -> None:
    collected = Collected(AudioFormat("pcm16", 16000), clean=True)
    tone = TONE[:4000]
    await push(collected, AudioFormat().encode(tone), 500)
    await collected.input.flush()
    assert collected.samples == pytest.approx(tone, abs=1e-3)
    await collected.input.close()


async def test_noise_reduction_that_fails_is_reported_once_and_tried_again() -> None:
    engines = ScriptedInput()
    engines.fails[Kind.ENHANCE] = EngineFailed("broken")
    collected = Collected(AudioFormat("pcm16", 16000), clean=True, engines=engines)
    for _ in range(3):
        await collected.input.push(b"\0\1" * 800)
        await collected.input.settle()
    assert [str(error) for error in collected.errors] == ["broken"]
    engines.fails.clear()
    await collected.input.push(b"\0\1" * 800)
    await collected.input.flush()
    assert len(collected.samples) == 800
    await collected.input.close()


@pytest.mark.parametrize("clean", [False, True])
async def test_what_comes_out_of_a_container_is_told_in_seconds(clean: bool) -> None:
    collected, told = Collected(AudioFormat("container"), clean), list[float]()
    collected.input.on_decoded = told.append
    await push(collected, encode("webm", "libopus", "mono"), 997)
    await collected.input.finish()
    assert sum(told) == pytest.approx(2.0, abs=0.05)


async def test_samples_without_a_container_are_not_told() -> None:
    collected = Collected(AudioFormat("pcm16", 16000))
    collected.input.on_decoded = lambda seconds: pytest.fail("their length is known before")
    await collected.input.push(bytes(3200))
    await collected.input.finish()


async def test_a_container_ends_where_no_more_may_be_decoded() -> None:
    collected, told = Collected(AudioFormat("container")), list[float]()

    def charge(seconds: float) -> None:
        told.append(seconds)
        if sum(told) > 0.5:
            raise RateLimited("no more today")

    collected.input.on_decoded = charge
    with suppress(RateLimited):  # of the next audio, or of the end
        await push(collected, encode("wav", "pcm_s16le", "mono"), 997)
        await collected.input.finish()
        pytest.fail("nothing was refused")
    assert len(collected.samples) / 16000 <= 0.5 < sum(told) < 1.5
    await collected.input.close()
