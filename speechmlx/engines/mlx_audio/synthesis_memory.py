"""The memory of keys and values that a synthesis comes to at its full length: read off the networks of each family.

A family without a row in KEPT keeps none: it makes all of a sentence's sound at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx.engines.lm.footprint import STEP
from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.imitation import MOST_REFERENCE
from speechmlx.engines.mlx_audio.kept_keys import kept_in

FRAMING = 256
"""Positions of a prompt that are neither its text nor a recording, at most."""
STRETCH = 2
"""Positions of a codec's transformer for each frame."""

Arguments = Mapping[str, Any]
Count = Callable[[Any, str, Arguments], int]
"""Of the model, what it says at once, and the arguments of its function."""


def _of(count: int) -> Count:
    """The frames that a family writes at most where the client names no `max_tokens`."""
    return lambda model, text, arguments: int(arguments.get("max_tokens") or count)


def _bytes_of_text(model: Any, text: str, arguments: Arguments) -> int:
    """A token has one byte at least."""
    return len(text.encode())


@dataclass(frozen=True)
class KeptKeys:
    """Which networks of a family keep keys and values, by their paths in the model, and of how many positions."""

    frames: Count
    """Frames that one call writes, at most."""
    sequence: tuple[str, ...]
    """They keep each position of the prompt and of the frames."""
    frame: tuple[str, ...] = ()
    """They begin anew with each frame, which has at most STEP codes."""
    decoder: str = ""
    """Of the codec: it keeps STRETCH positions of each frame."""
    encoder: str = ""
    """Of the codec: it keeps STRETCH positions of each frame of a recording that is imitated."""
    rate: Callable[[Any], float] = lambda model: 0.0
    """Frames of a second of a recording that is imitated."""
    text: Count = _bytes_of_text
    """Positions of a text."""
    sequences: Callable[[Arguments], int] = lambda arguments: 1
    least: int = 0
    """Positions that a sequence has room for from the start."""
    wide: bool = False
    """In float32, of whatever type the weights are."""
    prefix: bool = False
    """What comes before the text is kept a second time."""


def _fish_frames(model: Any, text: str, arguments: Arguments) -> int:
    """Parts of a text, which speaker tags make, stay in the sequence; each has a prompt of its own."""
    most, size = arguments.get("max_tokens", 1024), arguments.get("chunk_length", 300)
    tokens = (len(model.tokenizer.encode(part)) for part in model._split_generation_text(text, size))
    return sum(FRAMING // 8 + min(most, max(32, 12 * count)) for count in tokens)


def _drama_frames(model: Any, text: str, arguments: Arguments) -> int:
    """Each part of a text has the first one and the one before it in its prompt."""
    parts = len(package.inside("tts", "fish_drama3", "chunking").split_text(text))
    return min(3, max(1, parts)) * int(arguments.get("max_tokens") or 1024)


def _qwen_frames(model: Any, text: str, arguments: Arguments) -> int:
    return int(model._resolve_generation_options(None, arguments.get("max_tokens"), None, None, None)["max_tokens"])


def _pocket_frames(model: Any, text: str, arguments: Arguments) -> int:
    """A second for each word, and two; its tokens may stand for words."""
    tokens = model.flow_lm.conditioner.tokenizer(text).tokens.size
    return math.ceil((max(tokens, len(text.split())) + 2) * model.mimi.frame_rate)


def _pocket_text(model: Any, text: str, arguments: Arguments) -> int:
    """With a voice of its own, of a recording as long as one that is imitated."""
    return len(text.encode()) + math.ceil(MOST_REFERENCE * model.mimi.frame_rate)


def _soprano_text(model: Any, text: str, arguments: Arguments) -> int:
    """It writes numbers out."""
    return max((len(model._tokenize(prompt)) for prompt, *_ in model._preprocess_text([text])), default=0)


def _voxtral_text(model: Any, text: str, arguments: Arguments) -> int:
    """With the positions of its voice."""
    return len(model._encode_text(text, arguments.get("voice", "casual_male")))


def _mimi_rate(encoder: Any) -> float:
    return float(encoder.config.frame_rate) if encoder is not None else 0.0


def _fish_rate(model: Any) -> float:
    return float(model.codec.sample_rate / model.codec.frame_length)


def _patch_rate(model: Any) -> float:
    return float(model.audio_vae.sample_rate / model.patch_size / model.audio_vae.hop_length)


def _patch2_rate(model: Any) -> float:
    return float(model._encode_sample_rate / model.patch_size / model.audio_vae.chunk_size)


KEPT: Mapping[str, KeptKeys] = {
    "voxtral_tts": KeptKeys(_of(4096), ("language_model",), text=_voxtral_text),
    "soprano": KeptKeys(_of(512), ("language_model",), text=_soprano_text),
    "voxcpm": KeptKeys(_of(4096), ("base_lm", "residual_lm"), rate=_patch_rate, wide=True),
    "voxcpm2": KeptKeys(
        lambda model, text, arguments: int(arguments.get("max_tokens", 2000) + arguments.get("warmup_patches", 0)),
        ("base_lm", "residual_lm"),
        rate=_patch2_rate,
        wide=True,
    ),
    "qwen3_tts": KeptKeys(
        _qwen_frames,
        ("talker.model",),
        ("talker.code_predictor",),
        "speech_tokenizer.decoder.pre_transformer",
        "speech_tokenizer.encoder_model.encoder_transformer",
        lambda model: _mimi_rate(model.speech_tokenizer.encoder_model),
    ),
    "breeze_tts": KeptKeys(
        _of(750),
        ("backbone_model",),
        ("depth_decoder.model",),
        "audio_tokenizer.decoder.pre_transformer",
        "audio_tokenizer.encoder_model.encoder_transformer",
        lambda model: _mimi_rate(model.audio_tokenizer.encoder_model),
        sequences=lambda arguments: 1 + bool(arguments.get("instruct") and arguments.get("cfg_scale", 1) != 1),
    ),
    "fish_qwen3_omni": KeptKeys(_fish_frames, ("model.layers",), ("model.fast_layers",), rate=_fish_rate),
    "fish_drama3": KeptKeys(_drama_frames, ("backbone", "tower"), rate=_fish_rate, prefix=True),
    "pocket_tts": KeptKeys(
        _pocket_frames,
        ("flow_lm.transformer",),
        decoder="mimi.decoder_transformer",
        encoder="mimi.encoder_transformer",
        rate=lambda model: float(model.mimi.frame_rate),
        text=_pocket_text,
        least=1000,
        wide=True,
    ),
}
"""By family."""


def kept_bytes(family: str, model: Any, text: str, arguments: Arguments, heard: float) -> int:
    """Bytes of all keys and values while `model` says `text` at once, at most.

    `heard`: seconds of the recording that is imitated. 0 for a family that keeps none.
    """
    if (kept := KEPT.get(family)) is None:
        return 0
    told = sum(len(value.encode()) for value in arguments.values() if isinstance(value, str))
    recorded = math.ceil(heard * kept.rate(model)) + 1 if heard else 0
    before, frames = FRAMING + told + recorded, kept.frames(model, text, arguments)
    length = max(kept.least, before + kept.text(model, text, arguments) + frames)

    def of(paths: Iterable[str], positions: int) -> int:
        return kept_in(model, paths, positions + STEP, kept.wide)

    total = kept.sequences(arguments) * (of(kept.sequence, length) + of(kept.frame, 0))
    total += of([kept.decoder], STRETCH * frames) + (of([kept.encoder], STRETCH * recorded) if recorded else 0)
    return total + (of(kept.sequence, before) if kept.prefix else 0)
