"""Which family of mlx-audio a checkpoint is of, from its config.json and the name it is published under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlx_audio import registry

from speechmlx.errors import UnknownModel
from speechmlx.models.bridge import families
from speechmlx.models.bridge.families import Family
from speechmlx.names import nearest

LISTED = "`audio-server models --all` lists the families"
RATES = ("sample_rate", "sampling_rate", "output_sample_rate", "audio_sample_rate")
"""Keys of config.json that say the rate of a TTS model's output."""


def identify(config: Mapping[str, Any], name: str) -> Family:
    """The family of a checkpoint with this config.json, published as `name`.

    Raises UnknownModel for one that mlx-audio does not have, or that is left out here, with the reason.
    """
    found = _family(config, name)
    if found is None:
        kind = config.get("model_type") or config.get("architectures") or "nothing"
        raise UnknownModel(
            f"{name!r:.200} is of no family that mlx-audio has: its config.json says {kind!r:.100}; {LISTED}"
        )
    family = families.find(*found)
    if family is None or family.kind is None:
        reason = family.reason if family else "it is not one of those that were looked at"
        raise UnknownModel(f"{name!r:.200} is of the family {found[1]}, which is left out here: {reason}; {LISTED}")
    return family


def rate_of(family: Family, config: Mapping[str, Any]) -> int:
    """Hz of the model's input, of its output for TTS. Of TTS and STS config.json may say another than the family's."""
    said = next((config[key] for key in RATES if isinstance(config.get(key), int)), None)
    return int(said) if family.part in ("tts", "sts") and said else family.rate


def _family(config: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """The part and folder of the family in the package."""
    own = _by_content(config)
    if own is not None:
        return own
    model_type = str(registry.model_type_from_config(dict(config)) or "").lower()
    kind = registry.classify_model(model_type, "")
    if kind is not None and kind in families.PARTS:
        return kind, _folder(kind, model_type)
    if model_type and kind is None and not _hints(name):
        return None
    for hint in _hints(name):
        kind = registry.classify_model(hint, "")
        if kind in families.PARTS:
            return kind, _folder(kind, hint)
    return None


def _by_content(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """The family of a config.json that names no type, or a type that is shared."""
    if str(config.get("target", "")).startswith("nemo.collections.asr.models"):
        return ("stt", "canary") if "multitask" in str(config["target"]).lower() else ("stt", "parakeet")
    if config.get("model_type") == "nemotron_asr_streaming":  # in the layout of transformers
        return "stt", "nemotron_asr"
    thinker = config.get("thinker_config")
    if isinstance(thinker, Mapping) and thinker.get("model_type") == "qwen3_forced_aligner":
        return "stt", "qwen3_forced_aligner"
    if config.get("model_type") == "llama" and "acoustic_dim" in config:
        return "tts", "tada"
    if str(config.get("model_version", "")).startswith("DeepFilterNet"):
        return "sts", "deepfilternet"
    if {"win_len", "win_inc", "num_mels", "out_channels_final"} <= config.keys():
        return "sts", "mossformer2_se"
    if {"n_mels", "res2net_scale", "se_channels", "embedding_dim"} <= config.keys():
        return "lid", "ecapa_tdnn"
    if "Wav2Vec2ForSequenceClassification" in (config.get("architectures") or ()):
        return "lid", "wav2vec2"
    if {"num_bands", "num_stems", "mask_estimator_depth"} <= config.keys():
        return "sts", "mel_roformer"
    return None


def _folder(kind: str, model_type: str) -> str:
    remapping: Mapping[str, str] = registry._remapping(kind)
    return remapping.get(model_type, model_type)


def _hints(name: str) -> list[str]:
    """Parts of a published name that may name a family: "kitten" of "mlx-community/kitten-tts-nano"."""
    last = name.lower().rpartition("/")[2]
    parts = [part for part in re.split(r"[-_. ]", last) if part]
    joined = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [
        hint
        for hint in (*joined, *parts)
        if any(hint in registry.supported_model_types(kind) for kind in families.PARTS)
    ]


def suggestions(name: str) -> list[str]:
    """Names of families that are similar to `name`."""
    return nearest(name, [family.name for family in families.offered()])
