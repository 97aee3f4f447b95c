"""DeepFilterNet: it cleans speech, streaming equals whole, and the numbers are those of the original's ONNX export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jiwer
import mlx.core as mx
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clips import CLIPS
from support.engine_runs import fed, sound
from support.graph import kernels
from support.plain_mlx import plain_mlx
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.engines import LoadOptions, Streaming, deepfilternet
from speechmlx.engines.deepfilternet import DeepFilterNet, network
from speechmlx.engines.deepfilternet import stream as streams
from speechmlx.engines.deepfilternet.stream import BLOCK, HOP, RATE, Enhancer
from speechmlx.errors import ModelUnavailable, Unsupported
from speechmlx.types import Audio, DetectSpeech, Enhance, Segment, Transcribe

if TYPE_CHECKING:
    from speechmlx.types import Samples

STEP = 1 / 32768
REFERENCE = json.loads((Path(__file__).parent / "data" / "deepfilternet.json").read_text())


@pytest.fixture(scope="module")
def engine(model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions) -> DeepFilterNet:
    return loaded(deepfilternet.load(model_folder("deepfilternet3"), options))


@pytest.fixture(scope="module")
def speech(clip: Callable[[str], Path]) -> Samples:
    samples, rate = soundfile.read(clip("jfk"), dtype="float32")
    return soxr.resample(samples[: 3 * rate], rate, RATE).astype(np.float32)


def noise(kind: str, length: int) -> Samples:
    """Unit power. Brown rumbles like traffic from 30 Hz on, hum is mains with its overtones, surges come and go."""
    white: Any = np.random.default_rng(0).standard_normal(length, dtype=np.float32)
    seconds = np.arange(length) / RATE
    if kind == "pink":
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), length)
    elif kind == "brown":
        spectrum = np.fft.rfft(white)
        frequencies = np.fft.rfftfreq(length, 1 / RATE)
        white = np.fft.irfft(np.where(frequencies < 30, 0, spectrum / np.maximum(frequencies, 1)), length)
    elif kind == "hum":
        white = sum(np.sin(2 * np.pi * 50 * k * seconds) / k for k in range(1, 8)) + 0.1 * white
    elif kind == "surges":
        white = white * (1 + np.sin(2 * np.pi * 0.7 * seconds))
    return (white / np.sqrt(np.mean(white**2))).astype(np.float32)


def mixed(speech: Samples, kind: str, decibels: float) -> Samples:
    power = np.sqrt(np.mean(speech**2)) * 10 ** (-decibels / 20)
    return speech + np.float32(power) * noise(kind, len(speech))


def si_sdr(reference: Samples, estimate: Samples) -> float:
    reference, estimate = reference - reference.mean(), estimate - estimate.mean()
    target = reference * (estimate @ reference) / (reference @ reference)
    return float(10 * np.log10(np.sum(target**2) / np.sum((estimate - target) ** 2)))


def enhance(engine: DeepFilterNet, pieces: Iterable[Samples]) -> Samples:
    return sound(fed(engine.open(Enhance()), pieces))


def cut(samples: Samples, sizes: Iterable[int]) -> Iterator[Samples]:
    start = 0
    for size in sizes:
        yield samples[start : start + size]
        start += size
    yield samples[start:]


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum", "surges"])
def test_it_takes_noise_away(engine: DeepFilterNet, speech: Samples, kind: str) -> None:
    noisy = mixed(speech, kind, 5)
    assert si_sdr(speech, enhance(engine, [noisy])) >= si_sdr(speech, noisy) + 5


def test_it_leaves_clean_speech_alone(engine: DeepFilterNet, clip: Callable[[str], Path]) -> None:
    samples, rate = soundfile.read(clip("beckett"), dtype="float32")
    clean = soxr.resample(samples[: 3 * rate], rate, RATE).astype(np.float32)
    assert si_sdr(clean, enhance(engine, [clean])) > 25


def test_on_a_gpus_path_it_sounds_the_same(
    engine: DeepFilterNet,
    speech: Samples,
    model_folder: Callable[[str], Path],
    loaded: Callable[..., Any],
    cold: LoadOptions,
) -> None:
    fused = loaded(deepfilternet.load(model_folder("deepfilternet3"), replace(cold, device="gpu")))
    noisy = mixed(speech, "pink", 5)[:RATE]
    expected = enhance(engine, [noisy])
    assert si_sdr(expected, enhance(fused, [noisy])) > 60


def test_a_frame_of_a_fused_recurrent_layer_is_two_kernels() -> None:
    def array(*shape: int) -> mx.array:
        return mx.random.normal(shape, key=mx.random.key(sum(shape))) / 10

    size = network.HIDDEN
    weights = network._Gru(array(size, 3 * size), array(size, 3 * size), array(3 * size), array(size))
    x, hidden = 10 * array(12, size), 10 * array(1, size)
    mx.eval(*weights, x, hidden)
    assert mx.allclose(network._gru(x, hidden, weights), network._fused_gru(x, hidden, weights), atol=1e-6)
    for gru, count in ((network._gru, 10), (network._fused_gru, 2)):
        with plain_mlx(compiled=True):
            three, two = (kernels(gru(x[:frames], hidden, weights)).total() for frames in (3, 2))
        assert three - two == count


def test_the_numbers_are_those_of_the_onnx_export(
    engine: DeepFilterNet, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export hears what is quiet as quiet."""
    monkeypatch.setattr(streams, "MOST_RAISED", 0.0)
    noisy = speech + np.float32(0.03) * np.random.default_rng(0).standard_normal(len(speech), dtype=np.float32)
    enhanced = enhance(engine, [noisy])
    assert np.abs(enhanced[REFERENCE["at"]] - REFERENCE["samples"]).max() < 4 * STEP
    blocks = enhanced[: len(enhanced) // 4800 * 4800].reshape(-1, 4800)
    assert np.abs(np.sqrt(np.mean(blocks**2, axis=1)) - REFERENCE["rms"]).max() < STEP


@settings(deadline=None, max_examples=12)
@given(
    sizes=st.lists(st.integers(0, 3 * HOP) | st.integers(0, BLOCK * HOP), max_size=30), length=st.integers(0, 48_000)
)
def test_streaming_equals_whole(whole: tuple[DeepFilterNet, Samples], sizes: list[int], length: int) -> None:
    engine, noisy = whole
    noisy = noisy[:length]
    streamed = enhance(engine, cut(noisy, sizes))
    assert len(streamed) == length
    assert np.abs(streamed - enhance(engine, [noisy])).max(initial=0) <= STEP


@pytest.fixture(scope="module")
def whole(engine: DeepFilterNet, speech: Samples) -> tuple[DeepFilterNet, Samples]:
    return engine, mixed(speech, "white", 5)


def test_interleaved_equals_alone(engine: DeepFilterNet, speech: Samples) -> None:
    inputs = [mixed(speech, "white", 5)[:RATE], mixed(speech, "brown", 0)[RATE : 2 * RATE]]
    streams = [engine.open(Enhance()) for _ in inputs]
    parts: list[list[Samples]] = [[], []]
    for start in range(0, RATE, 4000):
        for stream, samples, out in zip(streams, inputs, parts, strict=True):
            out.append(sound(stream.feed(samples[start : start + 4000])))
    for stream, samples, out in zip(streams, inputs, parts, strict=True):
        out.append(sound(stream.finish()))
        assert np.abs(np.concatenate(out) - enhance(engine, [samples])).max() <= STEP


def test_live_audio_comes_back_thirty_milliseconds_later(engine: DeepFilterNet, speech: Samples) -> None:
    stream, sent, received = engine.open(Enhance()), 0, 0
    for piece in cut(speech[:RATE], [HOP] * 99):
        sent += len(piece)
        received += len(sound(stream.feed(piece)))
        assert sent - received <= 3 * HOP


def test_a_long_feed_is_cut_into_bounded_steps(engine: DeepFilterNet, speech: Samples) -> None:
    sizes = [step.duration for step in engine.open(Enhance()).feed(speech) if step]
    assert len(sizes) > 5 and max(sizes) <= BLOCK * HOP / RATE


def test_memory_does_not_grow_with_the_stream(engine: DeepFilterNet, speech: Samples) -> None:
    stream, held = engine.open(Enhance()), []
    for _ in range(3):
        for _ in range(4):
            sound(stream.feed(speech[: RATE // 2]))
        mx.clear_cache()
        held.append(mx.get_active_memory())
    assert held[2] - held[0] < 10_000
    assert len(stream._waiting) < HOP


def test_silence_stays_silent_and_speech_after_it_is_heard(engine: DeepFilterNet, speech: Samples) -> None:
    silence = np.zeros(5 * RATE, np.float32)
    stream = engine.open(Enhance())
    before = sound(stream.feed(silence))
    assert np.abs(before).max() == 0
    after = np.concatenate([sound(stream.feed(speech)), sound(stream.finish())])
    assert si_sdr(speech[:RATE], after[len(silence) - len(before) :][:RATE]) > 5


def test_a_pure_tone_for_minutes_gives_numbers(engine: DeepFilterNet) -> None:
    stream = engine.open(Enhance())
    stream._audible_frames = mx.array(1e6)  # bins without a sound have come to nothing in float32
    tone = 0.1 * np.sin(2 * np.pi * 15_000 * np.arange(RATE) / RATE).astype(np.float32)
    sound(stream.feed(tone))
    assert not any(mx.any(mx.isnan(hidden)) for hidden in stream._state.hidden)


# --- levels ---


def level(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


def at(samples: Samples, decibels: float) -> Samples:
    return samples * np.float32(10 ** (decibels / 20))


@pytest.fixture(scope="module")
def usual(engine: DeepFilterNet, speech: Samples) -> float:
    """dB by which clean speech of the usual level becomes quieter."""
    return level(speech) - level(enhance(engine, [speech]))


@pytest.mark.parametrize("decibels", [-10, -25, -40, -60])
@pytest.mark.parametrize("change", ["none", "pieces", "noise"])
def test_a_quiet_voice_stays(
    engine: DeepFilterNet, speech: Samples, usual: float, decibels: float, change: str
) -> None:
    quiet = at(mixed(speech, "pink", 15) if change == "noise" else speech, decibels)
    found = enhance(engine, cut(quiet, [RATE // 100] * 100) if change == "pieces" else [quiet])
    assert level(at(speech, decibels)) - level(found) == pytest.approx(usual, abs=3)
    assert np.abs(found).max() <= np.abs(quiet).max() + STEP


def test_its_words_stay(engine: DeepFilterNet, clip: Callable[[str], Path], shared: Callable[[str], Any]) -> None:
    samples, rate = soundfile.read(clip("jfk"), dtype="float32")
    found = enhance(engine, [at(soxr.resample(samples, rate, RATE).astype(np.float32), -40)])
    heard = soxr.resample(found / np.abs(found).max(), RATE, rate).astype(np.float32)
    ear = shared("whisper-tiny.en")
    state, said = ear.begin(Transcribe(audio=Audio(heard, rate))), ""
    while not state.finished:
        said += "".join(event.text for event in ear.step([state])[0] if isinstance(event, Segment))
    ear.end(state)
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(CLIPS["jfk"].words), normal(said)) <= 0.1


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum", "surges"])
def test_noise_alone_is_heard_as_before(engine: DeepFilterNet, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = at(noise(kind, RATE), -40)
    found = enhance(engine, [alone])
    assert np.abs(found).max() <= np.abs(alone).max()
    monkeypatch.setattr(streams, "MOST_RAISED", 0.0)
    assert np.abs(found - enhance(engine, [alone])).max() <= STEP


def test_a_quiet_speaker_after_a_loud_one_and_a_loud_one_after_a_quiet_one(
    engine: DeepFilterNet, speech: Samples, usual: float
) -> None:
    quiet = at(speech, -25)
    found = enhance(engine, [np.concatenate([quiet, speech, quiet, quiet, quiet])])
    first, loud, _, _, last = np.array_split(found, 5)
    assert level(quiet) - level(first) == pytest.approx(usual, abs=3)
    assert level(quiet) - level(last) <= usual + 3
    assert level(speech) - level(loud) <= usual + 1
    assert si_sdr(speech, loud) > 8


def test_a_click_does_not_hide_a_quiet_voice(engine: DeepFilterNet, speech: Samples, usual: float) -> None:
    quiet = at(speech, -30)
    clicked = quiet.copy()
    clicked[RATE // 10 :: RATE] += 0.5
    assert level(quiet[RATE // 2 : RATE]) - level(enhance(engine, [clicked])[RATE // 2 : RATE]) < usual + 4


def test_nothing_in_nothing_out(engine: DeepFilterNet) -> None:
    assert len(enhance(engine, [])) == 0


def test_it_is_a_streaming_engine_and_says_what_it_holds(engine: DeepFilterNet) -> None:
    assert isinstance(engine, Streaming) and isinstance(engine.open(Enhance()), Enhancer)
    assert 8e6 < engine.nbytes < 10e6


def test_another_request_is_refused(engine: DeepFilterNet) -> None:
    with pytest.raises(Unsupported, match="enhances speech"):
        engine.open(DetectSpeech())


def test_another_model_in_the_folder_is_refused(
    tmp_path: Path, loaded: Callable[..., Any], options: LoadOptions
) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json"):
        loaded(deepfilternet.load(tmp_path, options))
    (tmp_path / "config.json").write_text('{"model_version": "DeepFilterNet2"}')
    with pytest.raises(ModelUnavailable, match="DeepFilterNet2"):
        loaded(deepfilternet.load(tmp_path, options))
