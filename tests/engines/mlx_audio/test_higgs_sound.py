"""The sound of a sentence in chunks: what decoding it whole gives, with the codec's own decoder."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.higgs.frames import HiggsShape
from speechmlx.engines.mlx_audio.higgs.sound import Fades, HiggsSound, straightened

SHAPE = HiggsShape(1, 1, 16, 32, 8, 1026, 1024, 1025)
HOP = 960


class Ramp:
    """A codec whose sound is the number of each frame's first code."""

    def decode(self, codes: mx.array) -> mx.array:
        return mx.repeat(codes[:, 0].astype(mx.float32), HOP)

    class config:
        acoustic_hop = HOP


def delayed(codes: np.ndarray[Any, Any]) -> list[Any]:
    """Codes [n, codebooks] as the model draws them."""
    package.family("tts", "higgs_audio_v3")
    made = package.inside("tts", "higgs_audio_v3", "generation").apply_delay_pattern(
        mx.array(codes), boc_id=SHAPE.begin, eoc_id=SHAPE.end
    )
    return list(np.array(made))


def next_chunk(sound: HiggsSound) -> np.ndarray[Any, Any]:
    launched, place = sound.launch()
    return sound.faded(launched.numbers[place])


def drawn(sound: HiggsSound, frames: list[Any]) -> list[np.ndarray[Any, Any]]:
    """The chunks of a sentence whose frames come one by one."""
    chunks = []
    for frame in frames:
        sound.frames.append(frame)
        if sound.due:
            chunks.append(next_chunk(sound))
    sound.is_over = True
    while sound.due:
        chunks.append(next_chunk(sound))
    assert sound.is_launched
    return chunks


def test_codebooks_are_put_back_in_line() -> None:
    codes = np.random.default_rng(0).integers(0, 1024, (20, 8))
    assert np.array_equal(straightened(delayed(codes)), codes)


def test_chunks_are_parts_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the decoder of the published sizes, as no other says how far its convolutions see."""
    package.family("tts", "higgs_audio_v3")
    from mlx_audio.codec.models.higgs_audio import dac, higgs_audio

    monkeypatch.setattr(higgs_audio, "AcousticDecoder", dac.AcousticDecoder)
    mx.random.seed(0)
    codec = higgs_audio.HiggsAudioTokenizer(higgs_audio.HiggsAudioConfig.from_dict({}))
    codes = np.random.default_rng(1).integers(0, 1024, (33, 8)).astype(np.int32)
    whole = np.array(codec.decode(mx.array(codes)))
    chunks = drawn(HiggsSound(codec, SHAPE, Fades(0, 0)), delayed(codes))
    assert [len(chunk) / HOP for chunk in chunks] == [5, 10, 18]
    found = np.concatenate(chunks)
    assert np.abs(found - whole).max() < 1e-4 * np.abs(whole).std()
    assert np.abs(whole).std() > 0


@pytest.mark.parametrize("frames", [1, 20, 70])
@pytest.mark.parametrize(("rise", "fall"), [(0, 0), (720, 360), (1, 1), (20_000, 30_000), (90_000, 90_000)])
def test_fades_are_those_of_the_package(frames: int, rise: int, fall: int) -> None:
    package.family("tts", "higgs_audio_v3")
    codes = np.tile(np.arange(1, frames + 1)[:, None], (1, 8)).astype(np.int32)
    chunks = drawn(HiggsSound(Ramp(), SHAPE, Fades(rise, fall)), delayed(codes))

    class Rated:
        sample_rate = 24_000

    model = package.inside("tts", "higgs_audio_v3", "model").Model
    whole = mx.array(np.repeat(codes[:, 0], HOP).astype(np.float32))
    times = {"fade_in_ms": (rise + 0.1) / 24, "fade_out_ms": (fall + 0.1) / 24}
    assert np.array_equal(np.concatenate(chunks), np.array(model._apply_fades(Rated(), whole, **times)))


def test_a_code_that_is_no_sound_is_not_looked_up() -> None:
    codes = np.full((3, 8), 5, np.int32)
    codes[1] = SHAPE.end
    (chunk,) = drawn(HiggsSound(Ramp(), SHAPE, Fades(0, 0)), delayed(codes))
    assert chunk[::HOP].tolist() == [5, 1023, 5]


def test_less_than_a_frame_is_no_sound() -> None:
    assert drawn(HiggsSound(Ramp(), SHAPE, Fades(0, 0)), [np.zeros(8, np.int32)] * 7) == []
