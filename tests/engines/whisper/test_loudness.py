"""Whisper hears what is said whatever lies under or around it, and hears nothing where nothing is said."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
from support.clips import CLIPS
from support.engine_runs import run
from support.whisper_runs import text
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.audio import loudness_vad
from speechmlx.audio.decode import decode
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.streaming.stream import LiveStream
from speechmlx.types import Audio, End, Feed, Hypothesis, LanguageDetected, Listen, Transcribe

RATE = 16_000
WORDS = CLIPS["jfk"].words
LENGTH = 11 * RATE
TIME = np.arange(LENGTH) / RATE


@pytest.fixture(scope="module")
def jfk(clip: Callable[[str], Path]) -> np.ndarray:
    return soundfile.read(clip("jfk"), dtype="float32")[0]


def heard(engine: Whisper, samples: np.ndarray, **options: Any) -> str:
    """The text of a recording."""
    return text(run(engine, Transcribe(audio=Audio(samples.astype(np.float32), RATE), **options))[0])


def errors(said: str, words: str = WORDS) -> float:
    normal = EnglishTextNormalizer()
    return jiwer.wer(normal(words), normal(said) or "nothing")


def hum(mains: float, harmonics: int, length: int = LENGTH) -> np.ndarray:
    time = np.arange(length) / RATE
    return sum(np.sin(2 * np.pi * mains * k * time + k) / k for k in range(1, harmonics + 1))


def noise(kind: str, length: int) -> np.ndarray:
    """Unit power; wind is noise up to 120 Hz that comes and goes."""
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(length))
    frequencies = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20)
    shape = {"white": frequencies**0, "pink": frequencies**-0.5, "brown": 1 / frequencies, "wind": frequencies**-1.5}
    sound = np.fft.irfft(spectrum * shape[kind] * ((kind != "wind") | (frequencies < 120)), length)
    if kind == "wind":
        sound *= 1 + 0.8 * np.sin(2 * np.pi * 0.4 * np.arange(length) / RATE)
    return sound / sound.std()


def pcm16(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32768) / 32768


TWICE = {
    "offset and a quieter sentence": lambda f: np.concatenate([f, np.zeros(2 * RATE), f * 0.1]) + 0.03,
    "a much quieter sentence": lambda f: np.concatenate([f, np.zeros(2 * RATE), f * 0.02]),
}
REPORTED = {
    "offset": lambda f: f * 0.5 + 0.2,
    "offset, smaller": lambda f: f * 0.5 + 0.1,
    "quiet, with an offset": lambda f: f * 0.05 + 0.05,
    "hum of 50 Hz": lambda f: f * 0.05 + 0.05 * hum(50, 1),
    "rumble": lambda f: f * 0.1 + 0.2 * np.sin(2 * np.pi * 15 * TIME),
    "offset and a quieter sentence": TWICE["offset and a quieter sentence"],
    "-60 dB": lambda f: pcm16(f / 1000),
}
OTHERS = {
    "far quieter than its offset": lambda f: f * 0.01 - 0.3,
    "hum of 60 Hz": lambda f: f * 0.05 + 0.05 * hum(60, 1),
    "hum of 50 Hz with overtones": lambda f: f * 0.05 + 0.05 * hum(50, 7),
    "hum of 60 Hz with many overtones": lambda f: f * 0.05 + 0.015 * hum(60, 20),
    "rumble, stronger": lambda f: f * 0.03 + 0.3 * np.sin(2 * np.pi * 30 * TIME),
    "wind": lambda f: f * 0.1 + 0.1 * noise("wind", LENGTH),
    "a much quieter sentence": TWICE["a much quieter sentence"],
    "-66 dB": lambda f: pcm16(f / 2000),
    "-60 dB with hum": lambda f: pcm16(f / 1000 + 0.003 * hum(50, 1)),
    "-80 dB": lambda f: f * 1e-4,
    "-100 dB": lambda f: f * 1e-5,
    "a click, then quiet": lambda f: np.concatenate([0.9 * np.resize([1, -1], 400), np.zeros(RATE // 2), f * 0.003]),
}
CASES = [("tiny.en", name) for name in REPORTED | OTHERS] + [("base", name) for name in REPORTED if name not in TWICE]


@pytest.mark.parametrize(("model", "name"), CASES)
def test_what_lies_under_speech_hides_none_of_it(
    load: Callable[[str], Whisper], jfk: np.ndarray, model: str, name: str
) -> None:
    said = heard(load(model), (REPORTED | OTHERS)[name](jfk), language="en")
    assert errors(said, f"{WORDS} {WORDS}" if name in TWICE else WORDS) <= 0.15


@pytest.mark.parametrize(
    ("subtype", "channels"),
    [
        ("FLOAT", lambda f: f * 32768),
        ("DOUBLE", lambda f: f * 2.0**31),
        ("FLOAT", lambda f: f * 4),
        ("PCM_16", lambda f: np.stack([f, -f], 1)),
        ("PCM_24", lambda f: np.stack([f, -0.8 * f, 0 * f, 0 * f], 1)),
        ("FLOAT", lambda f: np.where(np.arange(len(f)) % 4000, f, np.nan)),
    ],
)
def test_files_out_of_scale_and_channels_that_cancel(
    load: Callable[[str], Whisper], jfk: np.ndarray, subtype: str, channels: Callable[[Any], Any]
) -> None:
    file = io.BytesIO()
    soundfile.write(file, channels(jfk.astype(np.float64)), RATE, format="WAV", subtype=subtype)
    assert errors(heard(load("tiny.en"), decode(file.getvalue(), RATE).samples, language="en")) <= 0.1


# --- a second look ---


def test_what_the_loudness_hides_is_looked_at_once_more(
    load: Callable[[str], Whisper], jfk: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loudness_vad, "speech_spans", lambda level: [])
    for options in ({}, {"words": True, "condition_on_previous_text": True}):
        assert errors(heard(load("tiny.en"), jfk, **options)) <= 0.05
    half = heard(load("tiny.en"), jfk, clips=((8.0, 11.0),))
    assert half.lower().strip(" .") == "ask what you can do for your country"


KINDS = ("silence", "white", "pink", "brown", "quiet", "dither", "wind", "hum", "offset", "beeps", "sweeps")
OF_BASE = ("white", "quiet", "wind", "beeps", "sweeps")


@pytest.mark.parametrize(
    ("model", "kind"), [*(("tiny.en", kind) for kind in KINDS), *(("base", kind) for kind in OF_BASE)]
)
def test_a_second_look_makes_nothing_up(
    load: Callable[[str], Whisper], model: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what lasts for half a minute the model alone says `you`, `I'm going to go to the next one`, `Beep`."""
    length = 30 * RATE
    time = np.arange(length) / RATE
    sound = {
        "silence": np.zeros(length),
        "quiet": 0.0003 * noise("pink", length),
        "dither": pcm16(0.3 / 32768 * noise("white", length)),
        "hum": 0.05 * hum(50, 7, length),
        "offset": np.full(length, 0.1),
        "beeps": 0.3 * np.sin(2 * np.pi * 1000 * time) * (time % 1 < 0.2),
        "sweeps": 0.1 * np.sin(2 * np.pi * (200 + 200 * (time % 5)) * (time % 5)),
    }
    monkeypatch.setattr(loudness_vad, "speech_spans", lambda level: [])
    samples = sound[kind] if kind in sound else 0.05 * noise(kind, length)
    assert heard(load(model), samples, language="en") == ""


@pytest.mark.parametrize("model", ["tiny.en", "base"])
def test_a_minute_of_beeps_says_nothing(load: Callable[[str], Whisper], model: str) -> None:
    """base alone says `I'm not sure if I can get the right answer` of them."""
    time = np.arange(60 * RATE) / RATE
    beeps = 0.3 * np.sin(2 * np.pi * 2000 * time) * (time % 0.5 < 0.1)
    assert heard(load(model), beeps, language="en") == ""


def test_bursts_of_noise_say_nothing(load: Callable[[str], Whisper]) -> None:
    """The model alone says `I'm going to go to the next one`."""
    time = np.arange(30 * RATE) / RATE
    bursts = 0.1 * noise("white", len(time)) * (np.sin(2 * np.pi * 0.7 * time) > 0)
    assert heard(load("tiny.en"), bursts, language="en") == ""


@pytest.mark.parametrize("model", ["tiny.en", "base"])
def test_noise_after_speech_says_nothing(load: Callable[[str], Whisper], jfk: np.ndarray, model: str) -> None:
    """tiny.en alone says `Thank you.` of it."""
    after = np.concatenate([jfk, 0.05 * noise("white", 19 * RATE)])
    assert errors(heard(load(model), after, language="en")) == 0


# --- language, live ---


@pytest.mark.parametrize("change", [lambda f: pcm16(f / 1000), lambda f: f * 0.05 + 0.05, lambda f: f * 1e-5])
def test_the_language_of_a_bad_recording(
    load: Callable[[str], Whisper], jfk: np.ndarray, change: Callable[[Any], Any]
) -> None:
    (events,) = run(load("base"), Transcribe(audio=Audio(change(jfk).astype(np.float32), RATE)))
    (found,) = (event for event in events if isinstance(event, LanguageDetected))
    assert found.language == "en" and found.probability > 0.8


@pytest.mark.parametrize("name", ["quiet, with an offset", "-60 dB"])
def test_live_it_is_heard_as_well(load: Callable[[str], Whisper], jfk: np.ndarray, name: str) -> None:
    engine = load("tiny.en")
    stream = engine.begin(Listen(language="en"))
    assert isinstance(stream, LiveStream)
    events: list[Any] = []
    for command in (Feed(REPORTED[name](jfk).astype(np.float32)), End()):
        engine.feed(stream, command)
        while stream.busy:
            events += engine.step([stream])[0]
    engine.end(stream)
    words = "".join(word.text for event in events if isinstance(event, Hypothesis) for word in event.committed)
    assert errors(words) <= 0.15
