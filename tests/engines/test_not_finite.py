"""Weights that make NaN or infinity: every engine says so, in its warm-up and in each request; none is silent."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from support.planted_weights import HUGE, TENSORS, loader, plant

from speechmlx.engines import LoadOptions, whisper
from speechmlx.engines.finite import NotFinite
from speechmlx.errors import BadAudio, WeightsDamaged
from speechmlx.types import (
    Audio,
    DetectSpeech,
    DetectTurn,
    Diarize,
    End,
    Enhance,
    Event,
    Feed,
    Generate,
    KnownSpeaker,
    Listen,
    Message,
    Segment,
    Speak,
    SpeakerOptions,
    SpeakStream,
    Transcribe,
)

RATE = 16_000
Load = Callable[..., Any]


def hum(seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A sound that is as loud as speech, in bursts."""
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * 200 * time) * (np.sin(2 * np.pi * 3 * time) > 0)
    return (0.3 * tone).astype(np.float32)


def steps_of_streams(stream: Any, *commands: Any) -> Iterator[Any]:
    for command in commands:
        yield from stream.finish() if command is None else stream.feed(command)


def batched(engine: Any, request: Any, *commands: Any) -> Iterator[Any]:
    """The events of one request; an error that ends it is raised."""
    state, waiting = engine.begin(request), list(commands)
    try:
        while not state.finished:
            if waiting and not state.busy:
                engine.feed(state, waiting.pop(0))
            (events,) = engine.step([state])
            for event in events:
                if isinstance(event, Exception):
                    raise event
                yield event
    finally:
        engine.end(state)


def known_speaker(engine: Any) -> Iterator[Any]:
    """A speaker's recording is taken as speech: an embedding is made of it."""
    engine.embed(hum(2.0)[None])
    known = KnownSpeaker("Ann", Audio(hum(2.0), RATE))
    yield from engine.run(Diarize(audio=Audio(hum(2.0), RATE), speakers=SpeakerOptions(known=(known,))))


def text(events: list[Event | Exception]) -> str:
    return "".join(event.text for event in events if isinstance(event, Segment))


def typed(engine: Any) -> Iterator[Any]:
    stream = engine.open(SpeakStream())
    yield from stream.feed_text("Hello there. And ")
    yield from stream.finish()


# Model, the tensor to plant in, its requests, the stage that the error names.
CASES: dict[str, tuple[str, str, list[Callable[[Any], Iterator[Any]]], str]] = {
    "synthesis": (
        "kokoro-82m",
        TENSORS["kokoro-82m"],
        [lambda engine: engine.run(Speak(text="Hello.")), typed],
        "the synthesis of speech",
    ),
    "durations": (
        "kokoro-82m",
        "bert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight",
        [lambda engine: engine.run(Speak(text="Hello."))],
        "the durations of the phonemes",
    ),
    "enhancement": (
        "deepfilternet3",
        TENSORS["deepfilternet3"],
        [lambda engine: steps_of_streams(engine.open(Enhance()), hum(0.5, 48_000), None)],
        "the enhancement of speech",
    ),
    "speech": (
        "silero-vad",
        TENSORS["silero-vad"],
        [lambda engine: steps_of_streams(engine.open(DetectSpeech()), hum(), None)],
        "the detection of speech",
    ),
    "turn": (
        "smart-turn-v3",
        TENSORS["smart-turn-v3"],
        [lambda engine: engine.run(DetectTurn(audio=Audio(hum(), RATE)))],
        "the detection of a turn's end",
    ),
    "speakers": ("ecapa-diarizer", TENSORS["ecapa-diarizer"], [known_speaker], "the embedding of a voice"),
    "recognition": (
        "whisper-tiny.en",
        TENSORS["whisper-tiny.en"],
        [
            lambda engine: batched(engine, Transcribe(audio=Audio(hum(), RATE), vad=False)),
            lambda engine: batched(engine, Transcribe(audio=Audio(hum(), RATE), vad=False, beam_size=3)),
            lambda engine: batched(engine, Listen(), Feed(hum(3.0)), End()),
        ],
        "the recognition of speech",
    ),
    "chat": (
        "smollm2-135m-instruct",
        TENSORS["smollm2-135m-instruct"],
        [lambda engine: batched(engine, Generate(messages=(Message("user", "Hi"),)))],
        "the logits of the next token",
    ),
}


@pytest.fixture(scope="module")
def options(options: LoadOptions) -> LoadOptions:
    """On a GPU, too, in the type that HUGE is finite in."""
    return replace(options, dtype="float32")


@pytest.fixture(scope="module")
def cold(options: LoadOptions) -> LoadOptions:
    return replace(options, warm_up=False)


@pytest.fixture
def planted(model_folder: Callable[[str], Path], tmp_path: Path) -> Iterator[Callable[[str, str, float], Path]]:
    """planted(model, tensor, value) → a copy of its folder with a tensor that is full of the value."""

    def copy(name: str, tensor: str, value: float) -> Path:
        plant(model_folder(name), tmp_path / name, tensor, value)
        return tmp_path / name

    yield copy
    shutil.rmtree(tmp_path)  # hundreds of MB, which the next runs would keep


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("case", CASES)
def test_what_overflows_is_an_error_in_the_warm_up_and_in_each_request(
    planted: Callable[[str, str, float], Path], loaded: Load, case: str, options: LoadOptions, cold: LoadOptions
) -> None:
    name, tensor, requests, stage = CASES[case]
    folder = planted(name, tensor, HUGE)
    with pytest.raises(NotFinite, match=f"^{stage}.*not finite numbers"):
        loaded(loader(name)(folder, options))
    engine = loaded(loader(name)(folder, cold))
    for request in requests:
        with pytest.raises(NotFinite, match=f"^{stage}.*not finite numbers"):
            list(request(engine))
    if case == "chat":
        assert engine._prefixes.entries == [], "nothing of it is kept for later prompts"


@pytest.mark.parametrize("case", [case for case in CASES if case != "durations"])
def test_a_weight_that_is_not_finite_is_damage(
    planted: Callable[[str, str, float], Path], loaded: Load, case: str, options: LoadOptions
) -> None:
    name, tensor, _, _ = CASES[case]
    with pytest.raises(WeightsDamaged, match="not finite numbers"):
        loaded(loader(name)(planted(name, tensor, np.nan), options))


def test_sound_that_is_not_finite_is_the_clients(
    model_folder: Callable[[str], Path], loaded: Load, cold: LoadOptions
) -> None:
    engine = loaded(loader("deepfilternet3")(model_folder("deepfilternet3"), cold))
    with pytest.raises(BadAudio, match="finite samples"):
        list(engine.open(Enhance()).feed(np.array([0.0, np.nan], np.float32)))


def test_one_of_two_recordings_fails_alone(
    model_folder: Callable[[str], Path],
    clip: Callable[[str], Path],
    loaded: Load,
    monkeypatch: pytest.MonkeyPatch,
    cold: LoadOptions,
) -> None:
    engine = loaded(whisper.load(model_folder("whisper-tiny.en"), cold))
    samples = soundfile.read(clip("jfk"), dtype="float32")[0]
    short, long = (Transcribe(audio=Audio(part, RATE), temperatures=(0.0,)) for part in (samples[:48_000], samples))

    def results(broken: bool) -> list[list[Event | Exception]]:
        states = [engine.begin(short), engine.begin(long)]
        sequence_of = engine.offline._sequence_of

        def broken_sequence_of(window: Any) -> Any:
            if broken and window.state is states[1]:
                window.cross = [(k * mx.nan, v) for k, v in window.cross]
            return sequence_of(window)

        monkeypatch.setattr(engine.offline, "_sequence_of", broken_sequence_of)
        found: list[list[Event | Exception]] = [[], []]
        open_ = dict(enumerate(states))
        while open_:
            for index, events in zip(list(open_), engine.step(list(open_.values())), strict=True):
                found[index] += events
                if open_[index].finished or any(isinstance(event, Exception) for event in events):
                    engine.end(open_.pop(index))
        monkeypatch.undo()
        return found

    clean = results(broken=False)
    first, second = results(broken=True)
    assert text(first) == text(clean[0]) == " And so my fellow Americans."
    assert isinstance(second[-1], NotFinite) and text(second) == ""
    assert [text(events) for events in results(broken=False)] == [text(events) for events in clean]
