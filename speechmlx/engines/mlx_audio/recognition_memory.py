"""The memory of keys and values that a recognition comes to at its full length: read off the networks of each family.

A family without a row in HEARD keeps none from one step of its work to the next: transducers and CTC have none, and an
aligner reads sound and text at once. A forced aligner, for one, computes keys and values that no later step needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from speechmlx.engines.lm.footprint import STEP
from speechmlx.engines.mlx_audio.kept_keys import kept_in
from speechmlx.engines.mlx_audio.live.voxtral import recording_bytes

DENSEST, LEAST_TOKENS = 16, 32
"""Tokens for each second of a window, and besides: where a model repeats itself, it ends there."""
PROMPT = 256
"""Positions of a prompt that are neither sound nor the client's words, at most."""
EDGE = 16
"""Frames of sound that padding may add."""
BEAMS = 3
"""Hypotheses of FireRedASR2's search where nobody says how many."""

Rate = Callable[[Any], float]
"""Of a model, the frames of a second of sound that it keeps."""
Count = Callable[[Any, float, int], int]
"""Of a model, the seconds of a window and the positions of the client's words: bytes."""


def most_tokens(seconds: float) -> int:
    """Tokens that a family may write for a window of so many seconds."""
    return LEAST_TOKENS + math.ceil(DENSEST * seconds)


def window_bytes(family: str, model: Any, seconds: float, arguments: Mapping[str, Any]) -> int:
    """Bytes of all keys and values while `model` recognises a window of so many seconds, at most.

    `arguments`: of its function. 0 for a family that keeps none.
    """
    if (count := HEARD.get(family)) is None:
        return 0
    told = (value if isinstance(value, list) else [value] for value in arguments.values())
    words = sum(len(word.encode()) + 2 for words in told for word in words if isinstance(word, str))
    return count(model, seconds, words)


def _together(path: str, rate: Rate, told: int = 1) -> Count:
    """A language model with the sound in its prompt, and the client's words so many times."""

    def count(model: Any, seconds: float, words: int) -> int:
        positions = PROMPT + told * words + _frames(model, seconds, rate) + most_tokens(seconds)
        return kept_in(model, [path], positions + STEP)

    return count


def _beside(
    blocks: str, own: str, sound: str, rate: Rate, growth: int = 0, wide: tuple[bool, bool] = (False, False)
) -> Count:
    """A decoder whose `blocks` keep the text in `own` and the sound in `sound`, once each.

    `growth`: positions by which the former grow. `wide`: whether these, and those, are in float32.
    """

    def count(model: Any, seconds: float, words: int) -> int:
        text = PROMPT + words + most_tokens(seconds) + growth
        return kept_in(model, [f"{blocks}.*.{own}"], text, wide[0]) + kept_in(
            model, [f"{blocks}.*.{sound}"], _frames(model, seconds, rate), wide[1]
        )

    return count


def _frames(model: Any, seconds: float, rate: Rate) -> int:
    """Those of the window, of whole seconds: families fill up what is shorter than one."""
    return EDGE + math.ceil(rate(model) * math.ceil(seconds))


def _cohere(model: Any, seconds: float, words: int) -> int:
    """It cuts what is longer than it takes at once, and recognises the parts together, each as long as the longest."""
    clip = model.config.max_audio_clip_s
    alone = seconds <= clip - model.config.overlap_chunk_second
    parts = 1 if alone else math.ceil(seconds / max(1.0, clip - model.config.overlap_chunk_second))
    count = _beside("transf_decoder.decoder.layers", "first_sub_layer", "second_sub_layer", _conformer, 2 * STEP)
    return parts * count(model, seconds if alone else min(seconds, clip), words)


def _qwen2_audio(model: Any, seconds: float, words: int) -> int:
    """It fills up each window to the same length."""
    positions = PROMPT + words + int(model._mel_num_audio_tokens) + most_tokens(seconds)
    return kept_in(model, ["language_model"], positions + STEP)


def _fire_red(model: Any, seconds: float, words: int) -> int:
    """It keeps the states of each layer, in float32 and of as many tokens as frames: a step's, and those before it."""
    frames = _frames(model, seconds, lambda model: 25.0)
    return 4 * BEAMS * frames * model.config.d_model * (2 * model.config.decoder.n_layers + 1)


def _conformer(model: Any) -> float:
    return 100.0 / float(model.config.encoder.subsampling_factor)


HEARD: Mapping[str, Count] = {
    "canary": _beside("decoder.blocks", "self_attn", "cross_attn", _conformer, wide=(True, False)),
    "cohere_asr": _cohere,
    "fireredasr2": _fire_red,
    "fun_asr_nano": _together("llm.model", lambda model: 100.0 / (8 * model.config.frontend_conf.lfr_n)),
    "glmasr": _together("language_model", lambda model: 50.0 / model.config.merge_factor),
    "granite_speech": _together("language_model", lambda model: 50.0 / model.config.downsample_rate),
    "moonshine": _beside("decoder.layers", "self_attn", "encoder_attn", lambda model: 16000 / 384, wide=(True, True)),
    "moss_transcribe_diarize": _together(
        "model.language_model", lambda model: 1 + 50.0 / model.config.audio_merge_size, told=2
    ),
    "qwen2_audio": _qwen2_audio,
    "qwen3_asr": _together("model", lambda model: 13.0),
    "voxtral_realtime": lambda model, seconds, words: recording_bytes(model, seconds),
}
"""By family."""
