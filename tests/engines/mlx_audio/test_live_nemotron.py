from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import committed, listened, talk
from support import tiny_bridge

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.live.nemotron import chunk_context
from speechmlx.engines.mlx_audio.recognition import Recognizer
from speechmlx.engines.mlx_audio.results import joined
from speechmlx.types import LanguageDetected


def test_live_words_are_those_of_the_whole_recording(bridged: Load) -> None:
    """The package decodes a whole recording by the same chunks: the same words at the same times."""
    engine, samples = bridged("stt/nemotron_asr"), talk(5.3)
    words = committed(listened(engine, samples, 1000))
    result = engine.checkpoint.model.generate(mx.array(samples))
    tokens = [token for sentence in result.sentences for token in sentence.tokens]
    assert len(tokens) > 8
    expected = joined(tokens)
    assert [word.text for word in words] == [word.text for word in expected]
    end = 0.0
    for word, other in zip(words, expected, strict=True):
        start, end = max(end, other.start), min(5.3, max(end, other.end))  # random weights say several words in a frame
        assert (word.start, word.end) == pytest.approx((start, end), abs=0.002)
        assert 0 < word.confidence <= 1


def test_the_language_is_heard_or_named(tmp_path: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    """These random weights say <en-US> first; it is no word."""
    engine = loaded(mlx_audio.load(tiny_bridge.write("stt/nemotron_asr", tmp_path / "en", 12), options))
    events = listened(engine, talk(4))
    heard = [event for event in events if isinstance(event, LanguageDetected)]
    assert [event.language for event in heard] == ["en"] and 0 < heard[0].probability < 1
    assert events.index(heard[0]) == 0 and {word.text for word in committed(events)} == {" two"}
    named = [event for event in listened(engine, talk(4), language="en") if isinstance(event, LanguageDetected)]
    assert named == [LanguageDetected("en", 1.0)]


@pytest.mark.parametrize("delay", [0.08, 0.16, 0.56, 1.12])
def test_the_layout_of_transformers_has_a_shorter_first_chunk(bridged: Load, delay: float) -> None:
    """The same text as the package's session, for each of the delays that it has."""
    engine, samples = bridged("stt/nemotron_asr"), talk(4)
    model = structural_clone(engine.checkpoint.model)
    model.model_type = "nemotron_asr_streaming"
    model.encoder_config = replace(model.encoder_config, att_context_size=[[56, ahead] for ahead in (0, 1, 6, 13)])
    session = model.create_streaming_session(transcription_delay_ms=round(1000 * delay))
    session.feed(samples)
    session.close()
    expected = ""
    while not session.done:
        expected += "".join(session.step(max_decode_tokens=64))
    other = Recognizer(replace(engine.checkpoint, model=model))
    assert expected and "".join(word.text for word in committed(listened(other, samples, delay=delay))) == expected


@pytest.mark.parametrize(
    ("trained", "delay", "right"),
    [
        ([[56, 13], [56, 6], [56, 1], [56, 0]], 0.56, 6),
        ([[56, 13], [56, 6], [56, 1], [56, 0]], 0.5, 1),
        ([[56, 13], [56, 6], [56, 1], [56, 0]], 9.0, 13),
        ([[56, 13], [56, 6]], 0.0, 6),
        ([[56, 13]], 0.1, 13),
        ([], 0.1, 3),
    ],
)
def test_the_delay_chooses_a_chunk_that_the_model_knows(trained: Any, delay: float, right: int) -> None:
    model = SimpleNamespace(
        encoder_config=SimpleNamespace(subsampling_factor=8, att_context_size=trained),
        preprocessor_config=SimpleNamespace(hop_length=160, sample_rate=16000),
        default_att_context_size=[56, 3],
    )
    assert chunk_context(model, delay) == (56, right)
