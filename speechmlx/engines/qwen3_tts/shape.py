"""What config.json and generation_config.json of a Qwen3-TTS folder say: sizes, ids of tokens, voices and languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from speechmlx.engines.parts.layer_stack import StackShape
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable

Variant = Literal["custom_voice", "base", "voice_design"]
VARIANTS = ("custom_voice", "base", "voice_design")
CONTROLS = 1024
"""The last rows of the codec's vocabulary: languages, voices and marks. None is ever drawn but the end."""


@dataclass(frozen=True)
class CodecMarks:
    """Ids in the codec's vocabulary that are no sound."""

    bos: int
    eos: int
    pad: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int


@dataclass(frozen=True)
class TextMarks:
    """Ids in the text's vocabulary."""

    im_start: int
    im_end: int
    pad: int
    bos: int
    eos: int


@dataclass(frozen=True)
class TalkerShape:
    """All that the talker's network is built from."""

    talker: StackShape
    predictor: StackShape
    vocabulary: int
    """Of the codec's first group, marks included."""
    codes: int
    """Of each further group."""
    groups: int
    text_vocabulary: int
    text_hidden: int


@dataclass(frozen=True)
class QwenTtsConfig:
    """A Qwen3-TTS checkpoint."""

    variant: Variant
    size: str
    """"0b6" or "1b7"."""
    shape: TalkerShape
    codec: CodecMarks
    text: TextMarks
    languages: Mapping[str, int]
    """English name, or dialect, to id in the codec's vocabulary."""
    voices: Mapping[str, int]
    dialects: Mapping[str, str]
    """Voice to the dialect that it speaks where Chinese or no language is asked for."""
    speaker: Mapping[str, Any] = field(default_factory=dict)
    """The speaker encoder's part, as the checkpoint has it."""

    @property
    def takes_instructions(self) -> bool:
        """Whether the model was made to follow instructions: the smaller CustomVoice and Base were not."""
        return self.variant == "voice_design" or (self.variant == "custom_voice" and self.size != "0b6")


@dataclass(frozen=True)
class DrawDefaults:
    """How a checkpoint wants its tokens drawn."""

    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    sub_temperature: float = 0.9
    sub_top_k: int = 50
    sub_top_p: float = 1.0
    max_frames: int = 2048


def read_shape(folder: Path) -> QwenTtsConfig:
    """Read config.json. Raises ModelUnavailable for one that is of no Qwen3-TTS, or of an unknown one."""
    config = read_config(folder)
    try:
        return _of(config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelUnavailable(
            f"config.json of the model {folder.name!r} is of no Qwen3-TTS ({type(error).__name__}: {error})"
        ) from error


def read_defaults(folder: Path) -> DrawDefaults:
    """Read generation_config.json; what it does not say is as the reference has it."""
    try:
        said = json.loads((folder / "generation_config.json").read_bytes())
        names = {
            "temperature": "temperature",
            "top_k": "top_k",
            "top_p": "top_p",
            "repetition_penalty": "repetition_penalty",
            "subtalker_temperature": "sub_temperature",
            "subtalker_top_k": "sub_top_k",
            "subtalker_top_p": "sub_top_p",
            "max_new_tokens": "max_frames",
        }
        known = {ours: said[theirs] for theirs, ours in names.items() if isinstance(said.get(theirs), int | float)}
        return DrawDefaults(**known)
    except FileNotFoundError:
        return DrawDefaults()
    except (OSError, ValueError, AttributeError) as error:
        raise ModelUnavailable(
            f"generation_config.json of the model {folder.name!r} cannot be read: {error}"
        ) from error


def _of(config: Mapping[str, Any]) -> QwenTtsConfig:
    talker = config["talker_config"]
    variant = config.get("tts_model_type", "base")
    if variant not in VARIANTS:
        raise ValueError(f"tts_model_type is {variant!r}; known are {', '.join(VARIANTS)}")
    predictor = talker.get("code_predictor_config") or {}
    for part in (talker, predictor):
        _check(part)
    return QwenTtsConfig(
        variant=cast(Variant, variant),
        size=str(config.get("tts_model_size", "0b6")),
        shape=_shape(talker, predictor),
        codec=_codec_marks(talker),
        text=TextMarks(
            im_start=int(config.get("im_start_token_id", 151644)),
            im_end=int(config.get("im_end_token_id", 151645)),
            pad=int(config.get("tts_pad_token_id", 151671)),
            bos=int(config.get("tts_bos_token_id", 151672)),
            eos=int(config.get("tts_eos_token_id", 151673)),
        ),
        languages={str(name).lower(): int(id) for name, id in (talker.get("codec_language_id") or {}).items()},
        voices={str(name).lower(): _id(id) for name, id in (talker.get("spk_id") or {}).items()},
        dialects={str(name).lower(): str(of) for name, of in (talker.get("spk_is_dialect") or {}).items() if of},
        speaker=config.get("speaker_encoder_config") or {},
    )


def _check(part: Mapping[str, Any]) -> None:
    """Raises ValueError for what this engine does not compute."""
    if (act := part.get("hidden_act", "silu")) != "silu":
        raise ValueError(f"hidden_act is {act!r}; known is silu")
    if part.get("sliding_window") and part.get("use_sliding_window"):
        raise ValueError("attention with a sliding window is unknown")
    # All three axes of a talker's positions are the same, so any split of them is plain rotation.
    if (kind := (part.get("rope_scaling") or {}).get("rope_type", "default")) != "default":
        raise ValueError(f"rope_type is {kind!r}; known is default")


def _shape(talker: Mapping[str, Any], predictor: Mapping[str, Any]) -> TalkerShape:
    groups = int(talker.get("num_code_groups", 16))
    if groups < 2 or int(predictor.get("num_code_groups", groups)) != groups:
        raise ValueError(f"num_code_groups is {groups} and {predictor.get('num_code_groups')}")
    return TalkerShape(
        talker=_transformer(talker, 28),
        predictor=_transformer(predictor, 5),
        vocabulary=int(talker.get("vocab_size", 3072)),
        codes=int(predictor.get("vocab_size", 2048)),
        groups=groups,
        text_vocabulary=int(talker.get("text_vocab_size", 151936)),
        text_hidden=int(talker.get("text_hidden_size", 2048)),
    )


def _transformer(part: Mapping[str, Any], layers: int) -> StackShape:
    return StackShape(
        hidden=int(part.get("hidden_size", 1024)),
        inner=int(part.get("intermediate_size", 3072)),
        layers=int(part.get("num_hidden_layers", layers)),
        heads=int(part.get("num_attention_heads", 16)),
        kv_heads=int(part.get("num_key_value_heads", 8)),
        head=int(part.get("head_dim", 128)),
        epsilon=float(part.get("rms_norm_eps", 1e-6)),
        base=float(part.get("rope_theta", 1_000_000)),
        bias=bool(part.get("attention_bias", False)),
    )


def _codec_marks(talker: Mapping[str, Any]) -> CodecMarks:
    return CodecMarks(
        bos=int(talker.get("codec_bos_id", 2149)),
        eos=int(talker.get("codec_eos_token_id", 2150)),
        pad=int(talker.get("codec_pad_id", 2148)),
        think=int(talker.get("codec_think_id", 2154)),
        nothink=int(talker.get("codec_nothink_id", 2155)),
        think_bos=int(talker.get("codec_think_bos_id", 2156)),
        think_eos=int(talker.get("codec_think_eos_id", 2157)),
    )


def _id(value: Any) -> int:
    """A voice's id, which some checkpoints have in a list."""
    return int(value[0] if isinstance(value, list) else value)
