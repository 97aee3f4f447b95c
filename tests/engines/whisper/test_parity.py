"""Whisper on the starter weights: the numbers are those of openai-whisper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from support.clips import CLIPS
from support.engine_runs import run, segments
from support.whisper_runs import empty, sampled

from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.model import mel
from speechmlx.types import Audio, LanguageDetected, Transcribe

DATA = Path(__file__).parents[1] / "data"


def reference(model: str, clip: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"whisper-{model}.npz") as stored:
        return {name.partition(".")[2]: stored[name] for name in stored if name.startswith(f"{clip}.")}


def spectrogram(audio: Audio) -> np.ndarray:
    whole = mel.normalize(np.concatenate(list(mel.log_mel_slices(audio.samples, 80))))
    return mel.window(whole, 0, len(whole))


@pytest.mark.parametrize("name", CLIPS)
def test_spectrogram_encoder_and_logits_are_the_reference_s(
    engine: Whisper, model: str, speech: Callable[[str], Audio], name: str
) -> None:
    expected = reference(model, name)
    features = spectrogram(speech(name))
    np.testing.assert_allclose(features[::50, ::8], expected["mel"], atol=1e-4)
    encoded = engine.network.encoder(mx.array(features)[None])
    np.testing.assert_allclose(np.array(encoded)[0, ::50, ::16], expected["encoded"], atol=1e-3)
    tokens = [*engine.vocabulary.start("en", "transcribe"), *expected["tokens"].tolist()]
    hidden, _ = engine.network.decoder(
        mx.array([tokens]),
        mx.arange(len(tokens))[None],
        PromptCache(),
        engine.network.cross(encoded),
        causal(len(tokens), mx.float32),
    )
    logits = np.array(engine.network.decoder.logits(hidden))[0]
    np.testing.assert_allclose(logits[:, ::499], expected["logits"], atol=1e-3)
    assert logits.argmax(-1).tolist() == expected["best"].tolist()


@pytest.mark.parametrize("name", CLIPS)
def test_greedy_tokens_are_the_reference_s(
    engine: Whisper, model: str, speech: Callable[[str], Audio], name: str
) -> None:
    expected = reference(model, name)
    found = run(engine, Transcribe(audio=speech(name), language="en", vad=False))[0]
    assert sampled(found) == expected["tokens"].tolist()
    said = segments(found)[0]
    assert said.avg_logprob == pytest.approx(float(expected["avg_logprob"]), abs=1e-3)
    assert said.no_speech_prob == pytest.approx(float(expected["no_speech"]), abs=1e-3)


@pytest.mark.parametrize("name", CLIPS)
def test_beam_search_is_the_reference_s(engine: Whisper, model: str, speech: Callable[[str], Audio], name: str) -> None:
    expected = reference(model, name)
    found = run(engine, Transcribe(audio=speech(name), language="en", vad=False, beam_size=5))[0]
    assert sampled(found) == expected["beam_tokens"].tolist()
    assert segments(found)[0].avg_logprob == pytest.approx(float(expected["beam_avg_logprob"]), abs=1e-3)
    assert empty(engine)


@pytest.mark.parametrize("name", CLIPS)
def test_word_times_are_the_reference_s(engine: Whisper, model: str, speech: Callable[[str], Audio], name: str) -> None:
    expected = reference(model, name)
    found = run(engine, Transcribe(audio=speech(name), language="en", vad=False, words=True))[0]
    words = [word for segment in segments(found) for word in segment.words]
    assert "".join(word.text for word in words) == "".join(expected["words"].tolist())
    spoken = [any(map(str.isalnum, text)) for text in expected["words"]]  # marks are words of their own there
    for word, end in zip(words, expected["ends"][spoken].tolist(), strict=True):
        assert abs(end - word.end) <= 0.03
        assert 0.0 <= word.start <= word.end <= speech(name).duration
        assert 0.0 < word.confidence <= 1.0
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_language_is_the_reference_s(load: Callable[[str], Whisper], speech: Callable[[str], Audio]) -> None:
    found = run(load("base"), Transcribe(audio=speech("jfk"), vad=False))[0][0]
    assert isinstance(found, LanguageDetected)
    assert found.language == "en"
    assert found.probability == pytest.approx(float(reference("base", "jfk")["english"]), abs=1e-3)
