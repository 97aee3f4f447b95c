"""Tiny random models of mlx-audio's families: folders that the real loading code reads, a few kB to some MB each.

A builder writes config.json, model.safetensors and what the family needs besides. `write` adds what a pull adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
from support.tiny_bridge import cleaning, coding, dividing, hearing, saying, speaking, telling, transcribing

from speechmlx.models.bridge import families
from speechmlx.models.bridge.convert import about

Builder = Callable[[Path], None]

BUILDERS: Mapping[str, Builder] = {
    "tts/pocket_tts": speaking.pocket_tts,
    "tts/qwen3_tts": speaking.qwen3_tts,
    "tts/kitten_tts": speaking.kitten_tts,
    "tts/breeze_tts": saying.breeze_tts,
    "tts/fish_drama3": coding.fish_drama3,
    "tts/fish_qwen3_omni": coding.fish_qwen3_omni,
    "tts/higgs_audio_v3": coding.higgs_audio_v3,
    "tts/omnivoice": coding.omnivoice,
    "tts/soprano": saying.soprano,
    "tts/voxcpm": saying.voxcpm,
    "tts/voxcpm2": saying.voxcpm2,
    "tts/voxtral_tts": saying.voxtral_tts,
    "stt/parakeet": hearing.parakeet,
    "stt/nemotron_asr": hearing.nemotron_asr,
    "stt/qwen3_asr": hearing.qwen3_asr,
    "stt/qwen3_forced_aligner": hearing.qwen3_forced_aligner,
    "stt/sensevoice": hearing.sensevoice,
    "stt/voxtral_realtime": hearing.voxtral_realtime,
    "stt/moonshine": hearing.moonshine,
    "stt/granite_speech5_ctc": hearing.granite_speech5_ctc,
    "stt/canary": hearing.canary,
    "stt/cohere_asr": transcribing.cohere_asr,
    "stt/fireredasr2": transcribing.fireredasr2,
    "stt/fun_asr_nano": transcribing.fun_asr_nano,
    "stt/glmasr": transcribing.glmasr,
    "stt/granite_speech": transcribing.granite_speech,
    "stt/granite_speech_nar": transcribing.granite_speech_nar,
    "stt/mms": transcribing.mms,
    "stt/moss_transcribe_diarize": transcribing.moss_transcribe_diarize,
    "stt/qwen2_audio": transcribing.qwen2_audio,
    "vad/sortformer": dividing.sortformer,
    "vad/nemotron_diarization": dividing.nemotron_diarization,
    "sts/mel_roformer": cleaning.mel_roformer,
    "sts/mossformer2_se": cleaning.mossformer2_se,
    "lid/ecapa_tdnn": telling.ecapa_tdnn,
    "lid/wav2vec2": telling.wav2vec2,
}
"""By part and family."""
SEEDS = {"stt/granite_speech5_ctc": 13, "stt/nemotron_asr": 5, "vad/nemotron_diarization": 2}
"""Where random weights of the first seed recognise nothing."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "tts/breeze_tts": {"max_tokens": 4, "streaming_interval": 0.02},
    "tts/fish_drama3": {"max_tokens": 4},
    "tts/fish_qwen3_omni": {"max_tokens": 4},
    "tts/higgs_audio_v3": {"max_tokens": 12},
    "tts/omnivoice": {"num_steps": 3, "duration_s": 0.4},
    "tts/soprano": {"max_tokens": 4},
    "tts/voxcpm": {"max_tokens": 3, "inference_timesteps": 2},
    "tts/voxcpm2": {"max_tokens": 3, "inference_timesteps": 2},
    "tts/voxtral_tts": {"max_tokens": 5},
}
"""What keeps an answer short: random weights find no end."""


def write(name: str, folder: Path, seed: int | None = None) -> Path:
    """Make the folder of a tiny model as a pull makes it; the same for the same seed."""
    mx.random.seed(SEEDS.get(name, 1) if seed is None else seed)
    BUILDERS[name](folder)
    part, _, family = name.partition("/")
    found = families.find(part, family)
    assert found is not None
    (folder / "bridge.json").write_text(about(found, json.loads((folder / "config.json").read_text())))
    return folder
