"""Silero: the ONNX export's probabilities, whatever the pieces the audio comes in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine_runs import detected

from speechmlx.engines import LoadOptions, Streaming, silero
from speechmlx.errors import ModelUnavailable, Unsupported
from speechmlx.types import DetectSpeech, Enhance, Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

REFERENCE = json.loads((Path(__file__).parent / "data" / "silero.json").read_text())


@pytest.fixture(scope="module")
def engine(model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions) -> silero.Silero:
    return loaded(silero.load(model_folder("silero-vad"), options))


@pytest.fixture(scope="module")
def speech(clip: Callable[[str], Path]) -> Samples:
    samples, rate = soundfile.read(clip("jfk"), dtype="float32")
    assert rate == silero.RATE
    return samples


def values(events: Iterable[Probability]) -> Samples:
    return np.array([event.value for event in events], np.float32)


def speech_spans(frames: Iterable[Probability]) -> list[tuple[float, float]]:
    """Start and end of each span of speech of at least 250 ms, in seconds.

    A span starts 30 ms before the first frame at 0.5 or above. It ends before 100 ms of frames below 0.5, of which the
    first is below 0.35.
    """
    spans: list[tuple[float, float]] = []
    start = quiet = None
    for frame in frames:
        if frame.value >= 0.5:
            start, quiet = frame.start if start is None else start, None
        elif start is not None and frame.value < 0.35 and quiet is None:
            quiet = frame.start
        if start is not None and quiet is not None and frame.end - quiet >= 0.1:
            spans.append((start, quiet))
            start = quiet = None
    if start is not None:
        spans.append((start, frame.end if quiet is None else quiet))
    return [(start - 0.03, end) for start, end in spans if end - start >= 0.25]


def test_the_numbers_are_those_of_the_onnx_export(
    engine: silero.Silero, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export hears what is quiet as quiet, and rumble as it is."""
    monkeypatch.setattr(silero, "MOST_RAISED", 0.0)
    monkeypatch.setattr(silero, "FAINT", np.inf)
    assert np.abs(values(detected(engine, [speech])) - REFERENCE).max() < 1e-5


@settings(deadline=None, max_examples=10)
@given(sizes=st.lists(st.integers(0, 3000), max_size=20), length=st.integers(0, 30_000))
def test_streaming_equals_whole(whole: tuple[silero.Silero, Samples], sizes: list[int], length: int) -> None:
    engine, speech = whole
    ends = np.minimum(np.cumsum([0, *sizes]), length)
    pieces = [speech[start:end] for start, end in zip(ends, [*ends[1:], length], strict=True)]
    streamed, at_once = detected(engine, pieces), detected(engine, [speech[:length]])
    assert [(e.start, e.end) for e in streamed] == [(e.start, e.end) for e in at_once]
    assert np.abs(values(streamed) - values(at_once)).max(initial=0) < 1e-5


@pytest.fixture(scope="module")
def whole(engine: silero.Silero, speech: Samples) -> tuple[silero.Silero, Samples]:
    return engine, speech


def test_frames_follow_each_other_to_the_very_end(engine: silero.Silero, speech: Samples) -> None:
    events = detected(engine, [speech[:5000]])
    assert [event.start for event in events] == [i * 512 / 16000 for i in range(10)]
    assert [event.end for event in events] == [*(event.start for event in events[1:]), 5000 / 16000]


def test_interleaved_equals_alone(engine: silero.Silero, speech: Samples) -> None:
    inputs = [speech[:32_000], speech[48_000:80_000]]
    streams = [engine.open(DetectSpeech()) for _ in inputs]
    found: list[list[Probability]] = [[], []]
    for start in range(0, 32_000, 1000):
        for stream, samples, events in zip(streams, inputs, found, strict=True):
            events.extend(filter(None, stream.feed(samples[start : start + 1000])))
    for stream, samples, events in zip(streams, inputs, found, strict=True):
        events.extend(filter(None, stream.finish()))
        assert np.abs(values(events) - values(detected(engine, [samples]))).max() < 1e-5


def test_speech_is_found_where_it_is(engine: silero.Silero, speech: Samples) -> None:
    spans = speech_spans(detected(engine, [speech]))
    assert [round(start, 1) for start, _ in spans] == [0.3, 3.3, 3.9, 5.4, 8.2]


def wave(frequency: float, length: int) -> Samples:
    return np.sin(2 * np.pi * frequency * np.arange(length) / silero.RATE).astype(np.float32)


@pytest.mark.parametrize(
    "change",
    [
        lambda speech: speech * 0.01,
        lambda speech: speech * 0.001,
        lambda speech: np.rint(speech * 32.768) / 32768 + 0.02,
        lambda speech: speech * 0.01 - 0.3,
        lambda speech: speech * 0.05 + 0.05 * wave(50, len(speech)),
        lambda speech: speech * 0.05 + 0.05 * sum(wave(60 * k, len(speech)) / k for k in range(1, 8)),
        lambda speech: speech * 0.1 + 0.2 * wave(15, len(speech)),
        lambda speech: speech * 0.03 + 0.3 * wave(30, len(speech)),
        lambda speech: speech * 0.003 + 0.9 * (np.arange(len(speech)) == 1000),
    ],
)
def test_speech_is_found_in_a_bad_microphone_s_sound(
    engine: silero.Silero, speech: Samples, change: Callable[[Samples], Samples]
) -> None:
    usual = values(detected(engine, [speech])) > 0.5
    found = values(detected(engine, [change(speech).astype(np.float32)])) > 0.5
    assert found[usual].mean() > 0.7 and found[~usual].mean() < 0.35


@pytest.mark.parametrize("kind", ["silence", "noise", "faint", "dither", "brown", "hum", "offset", "beeps"])
def test_there_is_no_speech_in_silence_and_noise(engine: silero.Silero, kind: str) -> None:
    noise = np.random.default_rng(0).standard_normal(160_000, dtype=np.float32)
    spectrum = np.fft.rfft(noise) / np.maximum(np.arange(80_001), 200)
    samples = {
        "silence": 0 * noise,
        "noise": 0.05 * noise,
        "faint": 0.0003 * noise,
        "dither": np.rint(0.4 * noise) / 32768,
        "brown": 0.3 * np.fft.irfft(spectrum, len(noise)),
        "hum": 0.05 * sum(wave(50 * k, len(noise)) / k for k in range(1, 8)),
        "offset": 0 * noise + 0.1,
        "beeps": 0.002 * wave(1000, len(noise)) * (np.arange(len(noise)) % 16_000 < 3000),
    }[kind]
    assert speech_spans(detected(engine, [np.asarray(samples, np.float32)])) == []


def test_memory_does_not_grow_with_the_stream(engine: silero.Silero, speech: Samples) -> None:
    stream = engine.open(DetectSpeech())
    for _ in range(3):
        list(stream.feed(speech))
    assert len(stream._waiting) < silero.FRAME


def test_it_is_a_streaming_engine_and_says_what_it_holds(engine: silero.Silero) -> None:
    assert isinstance(engine, Streaming)
    assert 1e6 < engine.nbytes < 1.5e6


def test_what_it_cannot_do_is_refused(
    engine: silero.Silero, tmp_path: Path, loaded: Callable[..., object], options: LoadOptions
) -> None:
    with pytest.raises(Unsupported, match="detects speech"):
        engine.open(Enhance())
    with pytest.raises(ModelUnavailable, match=r"no \.safetensors file"):
        loaded(silero.load(tmp_path, options))
    mx.save_safetensors(str(tmp_path / "model.safetensors"), {"other": mx.zeros(1)})
    with pytest.raises(ModelUnavailable, match="no Silero VAD"):
        loaded(silero.load(tmp_path, options))
