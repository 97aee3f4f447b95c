from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import talk
from engines.mlx_audio.test_families import alone, noise
from support import tiny_bridge

from speechmlx import languages
from speechmlx.errors import BadRequest, SpeechError, Unsupported
from speechmlx.models.bridge.identify import identify
from speechmlx.types import Audio, DetectLanguage, LanguageDetected, Transcribe, Usage

NAMES = ("ecapa_tdnn", "wav2vec2")


@pytest.mark.parametrize("name", NAMES)
def test_the_likeliest_language_is_the_packages(bridged: Load, name: str) -> None:
    engine, samples = bridged(f"lid/{name}"), talk(2.0)
    ((label, probability),) = engine.checkpoint.model.predict(mx.array(samples), top_k=1)
    detected, usage = alone(engine.run(DetectLanguage(audio=Audio(samples, 16000))))
    assert isinstance(detected, LanguageDetected) and detected.language == languages.code(label)
    assert detected.probability == pytest.approx(probability) and 1 / 3 < probability < 1
    assert usage == Usage(audio_in=2.0)


@pytest.mark.parametrize("name", NAMES)
def test_silence_has_no_language(bridged: Load, name: str) -> None:
    silence = Audio(np.zeros(32000, np.float32), 16000)
    assert alone(bridged(f"lid/{name}").run(DetectLanguage(audio=silence))) == [Usage(audio_in=2.0)]


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (DetectLanguage(audio=noise(1, 0, 8000)), BadRequest, "hears audio at 16000 Hz, not 8000"),
        (DetectLanguage(audio=noise(61, 0)), BadRequest, "hears up to 60 s of a recording; this has 61.0 s"),
        (DetectLanguage(audio=noise(0, 0)), BadRequest, "this has 0.0 s"),
        (Transcribe(audio=noise(1, 0)), Unsupported, "recognises no words; it cannot transcribe"),
    ],
)
def test_bad_input(bridged: Load, request_: Any, error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=says):
        bridged("lid/ecapa_tdnn").run(request_)


@pytest.mark.parametrize("name", NAMES)
def test_configurations_that_share_a_type_or_name_none(tmp_path: Path, name: str) -> None:
    tiny_bridge.write(f"lid/{name}", tmp_path / "any")
    family = identify(json.loads((tmp_path / "any/config.json").read_text()), "someone/languages")
    assert (family.part, family.name) == ("lid", name)
