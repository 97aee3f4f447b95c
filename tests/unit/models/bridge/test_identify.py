from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from speechmlx.errors import UnknownModel
from speechmlx.models.bridge import families
from speechmlx.models.bridge.identify import identify, rate_of

NEMO = {"target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel"}


@pytest.mark.parametrize(
    ("config", "name", "found"),
    [
        ({"model_type": "qwen3_tts"}, "x/y", "tts/qwen3_tts"),
        ({"model_type": "qwen3_asr"}, "x/y", "stt/qwen3_asr"),
        (
            {"model_type": "qwen3_asr", "thinker_config": {"model_type": "qwen3_forced_aligner"}},
            "x/y",
            "stt/qwen3_forced_aligner",
        ),
        ({"model_type": "nemotron_asr_streaming"}, "nvidia/nemotron-speech-streaming-en-0.6b", "stt/nemotron_asr"),
        ({"flow_lm": {}, "mimi": {}}, "x/y", "tts/pocket_tts"),
        (NEMO, "mlx-community/parakeet-tdt-0.6b-v3", "stt/parakeet"),
        ({"target": "nemo.collections.asr.models.aed_multitask_models.EncDecMultiTaskModel"}, "x/y", "stt/canary"),
        ({}, "mlx-community/SenseVoice-Small", "stt/sensevoice"),
        ({"model_type": "sensevoice"}, "x/parakeet", "stt/sensevoice"),
        ({"model_type": "breeze"}, "x/y", "tts/breeze_tts"),
        ({"model_type": "granite_speech_plus"}, "x/y", "stt/granite_speech"),
        ({"model_type": "fish_qwen3_omni"}, "x/whisper", "tts/fish_qwen3_omni"),
    ],
)
def test_the_config_says_the_family(config: dict[str, Any], name: str, found: str) -> None:
    family = identify(config, name)
    assert f"{family.part}/{family.name}" == found


@pytest.mark.parametrize(
    ("config", "name", "says"),
    [
        ({"model_type": "qwen2"}, "Qwen/Qwen2-7B", "of no family that mlx-audio has: its config.json says 'qwen2'"),
        ({"model_type": "llama"}, "x/y", "of no family"),
        ({}, "x/y", "says 'nothing'"),
        ({"model_type": "kokoro"}, "x/y", "family kokoro, which is left out here: the server has an engine of its own"),
        ({"model_type": "bark"}, "x/y", "left out here: it fetches a second repository"),
        ({"model_type": "voxtral"}, "x/y", "left out here: what prepares its input needs torch"),
        ({"model_type": "moss_music"}, "x/y", "left out here: it describes music"),
        ({"model_type": "llama", "acoustic_dim": 4}, "x/y", "family tada"),
        ({"model_version": "DeepFilterNet3"}, "x/y", "family deepfilternet"),
    ],
)
def test_others_are_refused_with_the_reason(config: dict[str, Any], name: str, says: str) -> None:
    with pytest.raises(UnknownModel, match=says):
        identify(config, name)


def test_rates() -> None:
    voice, ear = families.find("tts", "soprano"), families.find("stt", "parakeet")
    assert voice is not None and ear is not None
    assert rate_of(voice, {}) == 32000 and rate_of(voice, {"sample_rate": 24000}) == 24000
    assert rate_of(ear, {"sample_rate": 8000}) == 16000


def test_mlx_is_not_imported() -> None:
    code = (
        "import sys; from speechmlx.models.bridge.identify import identify;"
        "identify({'model_type': 'qwen3_asr'}, 'x/y');"
        "sys.exit('mlx.core' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
