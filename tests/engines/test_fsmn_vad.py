"""FSMN-VAD with its real weights, and Kaldi's filter bank: FunASR's numbers, and its segments of real speech."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from support import clips
from support.engine_runs import detected
from support.funasr_models import REFERENCE, noise

from speechmlx.engines import LoadOptions, Streaming, fsmn_vad
from speechmlx.engines.parts.fbank import BLOCK, HOP, WINDOW, filter_bank, frames_in, stack
from speechmlx.engines.parts.fsmn_vad import SpeechSegmenter, speech_segments
from speechmlx.errors import ModelUnavailable, Unsupported
from speechmlx.types import DetectSpeech, Enhance, Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

BANKS, VAD = REFERENCE["banks"], REFERENCE["vad"]


def speech(name: str) -> Samples:
    samples, rate = soundfile.read(clips.path(name), dtype="float32")
    assert rate == fsmn_vad.RATE
    return samples


# --- The filter bank ------------------------------------------------------------------------------------------------


def test_the_bank_is_kaldis_with_both_windows() -> None:
    sound = noise(0, 4000) * np.float32(0.1)
    hamming, povey = filter_bank(sound), filter_bank(sound, "povey", scale=1.0)
    assert len(hamming) == BANKS["frames"] == frames_in(4000)
    assert np.abs(hamming[:, ::7] - BANKS["hamming"]).max() < 1e-3
    assert np.abs(povey[:, ::7] - BANKS["povey"]).max() < 1e-3


def test_frames_are_stacked_as_the_models_have_them() -> None:
    stacked = stack(filter_bank(noise(0, 4000) * np.float32(0.1)), 7, 6)
    assert np.abs(stacked[:, ::23] - BANKS["stacked"]).max() < 1e-3
    numbers = np.arange(5, dtype=np.float32)[:, None]
    assert stack(numbers, 7, 6).tolist() == [[0, 0, 0, 0, 1, 2, 3]]
    assert stack(numbers, 5, 1).tolist()[0] == [0, 0, 0, 1, 2]
    assert stack(numbers, 5, 1).tolist()[4] == [2, 3, 4, 4, 4]


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 1), (399, 1), (400, 1), (559, 1), (560, 2)])
def test_frames_are_whole_and_a_short_sound_has_one(samples: int, frames: int) -> None:
    assert filter_bank(np.zeros(samples, np.float32)).shape == (frames, 80)


def test_blocks_make_no_difference() -> None:
    sound = noise(1, WINDOW + HOP * (BLOCK + 9))
    found = filter_bank(sound)
    assert np.abs(found[BLOCK - 3 :] - filter_bank(sound[HOP * (BLOCK - 3) :])).max() < 1e-4


# --- The engine -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine(model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions) -> fsmn_vad.FsmnVad:
    return loaded(fsmn_vad.load(model_folder("fsmn-vad"), options))


def values(events: Iterable[Probability]) -> Samples:
    return np.array([event.value for event in events], np.float32)


@pytest.mark.parametrize("name", VAD)
def test_the_numbers_are_funasrs(engine: fsmn_vad.FsmnVad, name: str) -> None:
    found = detected(engine, [speech(name)])
    assert len(found) == VAD[name]["frames"]
    assert np.abs(values(found)[::5] - VAD[name]["speech"]).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [
        ("beckett", [[20, 2980], [3260, 4340], [4620, 5700], [6380, 7490], [7840, 9080]]),
        ("jfk", [[40, 2300], [3020, 4610], [5120, 10980]]),
        ("conversation", [[6470, 29980]]),
        ("librispeech", [[270, 3490]]),
    ],
)
def test_segments_of_real_speech_are_funasrs(
    engine: fsmn_vad.FsmnVad, name: str, milliseconds: list[list[int]]
) -> None:
    assert VAD[name]["segments"] == milliseconds
    found = speech_segments(engine._network, speech(name))
    assert [[round(1000 * start), round(1000 * end)] for start, end in filter(None, found)] == milliseconds


@pytest.mark.parametrize("size", [1, 137, 160, 399, 4001])
def test_pieces_of_any_size_give_the_same(engine: fsmn_vad.FsmnVad, size: int) -> None:
    sound = speech("jfk")[20_000 : 20_000 + min(24_001, 2000 * size)]
    pieces = detected(engine, [sound[start : start + size] for start in range(0, len(sound), size)])
    whole = detected(engine, [sound])
    assert [(e.start, e.end) for e in pieces] == [(e.start, e.end) for e in whole]
    assert np.abs(values(pieces) - values(whole)).max() < 1e-5


def test_interleaved_equals_alone(engine: fsmn_vad.FsmnVad) -> None:
    inputs = [speech("jfk")[:32_000], speech("beckett")[:32_000]]
    streams = [engine.open(DetectSpeech()) for _ in inputs]
    found: list[list[Probability]] = [[], []]
    for start in range(0, 32_000, 4000):
        for stream, samples, events in zip(streams, inputs, found, strict=True):
            events.extend(filter(None, stream.feed(samples[start : start + 4000])))
    for stream, samples, events in zip(streams, inputs, found, strict=True):
        events.extend(filter(None, stream.finish()))
        alone = detected(engine, [samples[start : start + 4000] for start in range(0, 32_000, 4000)])
        assert events == alone


@pytest.mark.parametrize("samples", [1, 399, 400, 4000, 4159])
def test_frames_follow_each_other_to_the_very_end(engine: fsmn_vad.FsmnVad, samples: int) -> None:
    events = detected(engine, [np.zeros(samples, np.float32)])
    assert events[0].start == 0 and events[-1].end == samples / 16_000
    assert [event.end for event in events[:-1]] == [event.start for event in events[1:]]
    assert detected(engine, []) == []


def test_there_is_no_speech_in_silence_and_noise(engine: fsmn_vad.FsmnVad) -> None:
    for sound in (np.zeros(32_000, np.float32), noise(3, 32_000) * np.float32(0.003)):
        assert not list(filter(None, speech_segments(engine._network, sound)))


def test_memory_does_not_grow_with_the_stream(engine: fsmn_vad.FsmnVad) -> None:
    stream = engine.open(DetectSpeech())
    for _ in range(3):
        list(stream.feed(speech("jfk")))
    listener = stream._listener
    assert len(listener._waiting) < WINDOW
    assert listener._around is not None and len(listener._around) == 4
    assert [len(memory) for memory in listener._memories] == [19] * 4


# --- Segments -------------------------------------------------------------------------------------------------------


def segments(*stretches: tuple[int, float], longest: int = 6000) -> list[tuple[int, int]]:
    segmenter = SpeechSegmenter(longest)
    found = [segmenter.add(value) for frames, value in stretches for _ in range(frames)]
    return [one for one in (*found, segmenter.finish()) if one]


def drawn(seed: int) -> list[float]:
    """Probabilities of speech: stretches of speech and silence, with frames that are the other between them."""
    draw = np.random.RandomState(seed)
    longest = (60, 150, 9000)[seed % 3]
    lengths = draw.randint(1, longest, 12)
    speech = np.repeat(np.arange(12) % 2, lengths) ^ (draw.rand(lengths.sum()) < 0.08)
    return (0.05 + 0.9 * speech).tolist()


@pytest.mark.parametrize(("seed", "milliseconds"), [*enumerate(REFERENCE["segments"])])
def test_segments_of_drawn_probabilities_are_funasrs(seed: int, milliseconds: list[list[int]]) -> None:
    found = segments(*((1, value) for value in drawn(seed)))
    assert [[10 * start, 10 * end] for start, end in found] == milliseconds


def test_a_segment_begins_before_speech_and_ends_in_silence() -> None:
    assert segments((100, 0.0), (100, 1.0), (100, 0.0)) == [(74, 216)]


def test_short_sounds_and_pauses_are_none() -> None:
    assert segments((100, 0.0), (14, 1.0), (100, 0.0)) == []
    assert segments((100, 0.0), (50, 1.0), (40, 0.0), (50, 1.0), (100, 0.0)) == [(74, 256)]


def test_a_segment_goes_to_the_end_of_the_sound_and_begins_with_it() -> None:
    assert segments((50, 1.0)) == [(0, 50)]
    assert segments((50, 1.0), (20, 0.0)) == [(0, 70)]


def test_a_long_segment_is_cut_and_the_next_does_not_overlap() -> None:
    assert segments((250, 1.0), longest=100) == [(0, 101), (101, 202), (202, 250)]


# --- Errors ---------------------------------------------------------------------------------------------------------


def test_what_it_cannot_do_is_refused(
    engine: fsmn_vad.FsmnVad, tmp_path: Path, loaded: Callable[..., object], options: LoadOptions
) -> None:
    assert isinstance(engine, Streaming)
    assert 1.6e6 < engine.nbytes < 1.8e6
    with pytest.raises(Unsupported, match="detects speech"):
        engine.open(Enhance())
    mx.save_safetensors(str(tmp_path / "model.safetensors"), {"other": mx.zeros(1)})
    with pytest.raises(ModelUnavailable, match="no FSMN-VAD"):
        loaded(fsmn_vad.load(tmp_path, options))
