"""A folder in the layout of mlx-community → the engine, in slices: talker, codec and speaker encoder."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from speechmlx.engines import LoadOptions
from speechmlx.engines.lm.quantised import dequantise, quantise
from speechmlx.engines.qwen3_tts import codec
from speechmlx.engines.qwen3_tts.cloning import VoiceShelf
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.qwen3_tts.shape import QwenTtsConfig, read_defaults, read_shape
from speechmlx.engines.qwen3_tts.speaker_encoder import SpeakerShape, VoiceEncoder, voice_weights
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.text import TextTokenizer
from speechmlx.engines.weights import read_weights, settle
from speechmlx.errors import WeightsDamaged
from speechmlx.types import Progress

TALKER, SPEAKER = "talker.", "speaker_encoder."
"""How the names of weights begin."""


def read_engine(folder: Path, options: LoadOptions) -> Generator[Progress, None, Qwen3Tts]:
    """Load `folder`. Raises ModelUnavailable for what is no Qwen3-TTS, WeightsDamaged for weights that do not fit.

    On a CPU all weights become float32, quantised ones too: other types are slow there. On a GPU they stay as they are.
    """
    config, defaults = read_shape(folder), read_defaults(folder)
    tokenizer = TextTokenizer(folder)
    yield Progress("load", 0, 1, "tokenizer")
    weights = read_weights(folder)
    talker, speaker = split(weights)
    model = fill(Talker(config.shape), talker)
    on_cpu = options.device == "cpu"
    if on_cpu:
        dequantise(model)
    model.join()
    del weights, talker  # the parts of what was joined
    dtype = mx.float32 if on_cpu else None
    ready = yield from settle(dict(tree_flatten(model.parameters())) | _speaker(speaker, config), dtype)
    model.load_weights([(name, array) for name, array in ready.items() if not name.startswith(SPEAKER)])
    done = sum(array.nbytes for array in ready.values())
    speech = yield from _behind(
        done, codec.load(folder / "speech_tokenizer", encoder=config.variant == "base", fused=not on_cpu)
    )
    encoder = None
    if config.variant == "base":
        own = {name: array for name, array in ready.items() if name.startswith(SPEAKER)}
        shape = SpeakerShape.of(config.speaker)
        encoder = VoiceEncoder(voice_weights(own, shape), shape)
    shelf = VoiceShelf(speech, encoder)
    nbytes = done + speech.nbytes
    gpu = not on_cpu
    return Qwen3Tts(model, config, defaults, tokenizer, speech, shelf, nbytes=nbytes, fused=gpu, pipelined=gpu)


def split(weights: Mapping[str, mx.array]) -> tuple[dict[str, mx.array], dict[str, mx.array]]:
    """The talker's weights, named as its network names them, and the speaker encoder's. Raises WeightsDamaged."""
    talker = {name.removeprefix(TALKER): one for name, one in weights.items() if name.startswith(TALKER)}
    speaker = {name: one for name, one in weights.items() if name.startswith(SPEAKER)}
    if more := sorted(name for name in weights if not name.startswith((TALKER, SPEAKER))):
        raise WeightsDamaged(f"{len(more)} weights belong to no part of a Qwen3-TTS: {_some(more)}")
    return talker, speaker


def fill(model: Talker, weights: Mapping[str, mx.array]) -> Talker:
    """Give `model` its weights, quantised as they are, not evaluated. Raises WeightsDamaged where they do not fit."""
    quantise(model, weights)
    wanted = dict(tree_flatten(model.parameters()))
    if missing := sorted(wanted.keys() - weights.keys()):
        raise WeightsDamaged(f"{len(missing)} weights of the model are missing: {_some(missing)}")
    if more := sorted(weights.keys() - wanted.keys()):
        raise WeightsDamaged(f"{len(more)} weights have no place in the model: {_some(more)}")
    if wrong := [name for name, array in wanted.items() if array.shape != weights[name].shape]:
        raise WeightsDamaged(f"{len(wrong)} weights have another shape than the model: {_some(wrong)}")
    model.load_weights(list(weights.items()))
    model.eval()
    return model


def _speaker(weights: dict[str, mx.array], config: QwenTtsConfig) -> dict[str, mx.array]:
    """The speaker encoder's weights where the model has one. Raises WeightsDamaged where they are missing."""
    if config.variant != "base":
        return {}
    if not weights:
        raise WeightsDamaged("the weights of the speaker encoder are missing")
    return weights


def _behind(done: int, steps: Generator[Progress, None, Any]) -> Generator[Progress, None, Any]:
    """The progress of a part that is loaded after `done` bytes."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as ended:
            return ended.value
        yield Progress(progress.stage, done + progress.done, done + progress.total, progress.detail)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
