"""Checkpoints of a family of mlx-audio that an engine of the server's own runs: told by their config.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from speechmlx.models.bridge.families import Family
from speechmlx.models.qwen3_tts_voices import NAMES, QWEN3_TTS
from speechmlx.models.rows.common import BRIDGE
from speechmlx.models.voices import UNLISTED, VoiceList

OWN: Mapping[str, str] = {"qwen3_tts": "speechmlx.engines.qwen3_tts:load"}
"""By family of "tts": the engine, by its import string."""
BASE = "base"
"""The variant that imitates voices, and it alone."""
VARIANTS = ("custom_voice", BASE, "voice_design")
CODEC = "qwen3_tts_tokenizer_12hz"


def engine_of(family: str, is_own: bool) -> str:
    """The engine of a family; `is_own`: of a checkpoint that `runs_by_itself`."""
    return OWN[family] if is_own else BRIDGE


def runs_by_itself(family: Family, config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of `family` with this config.json is one that the server's own engine computes."""
    if family.part != "tts" or family.name not in OWN:
        return False
    talker = config.get("talker_config")
    if not isinstance(talker, Mapping) or variant_of(config) not in VARIANTS:
        return False
    stacks = [talker, talker.get("code_predictor_config") or {}]
    known = config.get("tokenizer_type", CODEC) == CODEC and _quantisation(config).get("mode", "affine") == "affine"
    return known and all(isinstance(stack, Mapping) and _is_plain(stack) for stack in stacks)


def is_narrow(config: Mapping[str, Any]) -> bool:
    """Whether its weights are quantised, which a CPU computes with in float32."""
    return bool(_quantisation(config))


def speakers_of(config: Mapping[str, Any]) -> list[str]:
    """The names of the voices that a checkpoint has."""
    said = config["talker_config"].get("spk_id") or {}
    return [str(name).lower() for name in said]


def variant_of(config: Mapping[str, Any]) -> str:
    """Which of VARIANTS a checkpoint is."""
    return str(config.get("tts_model_type", BASE))


def voices_of(speakers: Iterable[str], variant: str) -> VoiceList:
    """The voices of a checkpoint with these speakers; where they are all published ones, other services' names too."""
    found = set(speakers)
    return QWEN3_TTS if found == set(NAMES) else replace(UNLISTED, imitates=variant == BASE)


def _quantisation(config: Mapping[str, Any]) -> Mapping[str, Any]:
    said = config.get("quantization") or config.get("quantization_config") or {}
    return said if isinstance(said, Mapping) else {}


def _is_plain(stack: Mapping[str, Any]) -> bool:
    """Whether its layers have SiLU, positions by plain rotation, and attention to all that was before."""
    scaling = stack.get("rope_scaling") or {}
    return (
        stack.get("hidden_act", "silu") == "silu"
        and isinstance(scaling, Mapping)
        and scaling.get("rope_type", "default") == "default"
        and not (stack.get("sliding_window") and stack.get("use_sliding_window"))
    )
