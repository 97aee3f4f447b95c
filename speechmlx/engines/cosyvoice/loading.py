"""A converted folder → the engine: its weights in slices, then a first word."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.cosyvoice.engine import CosyVoice
from speechmlx.engines.cosyvoice.generation import SECOND, THIRD, Generation
from speechmlx.engines.cosyvoice.speech_model import SpeechModel
from speechmlx.engines.cosyvoice.text_tokens import TextTokens
from speechmlx.engines.cosyvoice.voices import VoiceBook
from speechmlx.engines.finite import raise_first
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.hift import Hift, HiftShape
from speechmlx.engines.parts.s3_tokenizer import S3Tokenizer
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import second_flow, third_flow
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Audio, Progress, Speak

Weights = Mapping[str, mx.array]

GENERATIONS = {"cosyvoice2": SECOND, "cosyvoice3": THIRD}
"""By `model_type` in config.json."""
ENCODER_HEADS = ESTIMATOR_HEADS = 8
TRANSFORMER_HEADS = 16
LANGUAGE_MODEL, VOICES = "lm.", "voices."
"""Prefixes of the tensors of the language model, and of the speakers."""
MAX_BATCH = 4
WARM_UP = "Hi."
HUM = 1.0
"""Seconds of a recording for the warm-up of a model without speakers."""


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, CosyVoice]:
    """Read the weights in slices, and say WARM_UP if the options ask for it.

    The language model has the type of the options, or float32 on a CPU, where others are slow; all else is float32.
    Raises ModelUnavailable, WeightsDamaged for a weight, and NotFinite for a sound, that is not finite numbers.
    """
    config = read_config(folder)
    generation = _generation(folder, config)
    tokens = TextTokens(folder, generation.signs)
    dtype = mx.float32 if options.device == "cpu" else getattr(mx, options.dtype)
    weights = {
        name: tensor.astype(dtype if name.startswith(LANGUAGE_MODEL) else mx.float32)
        for name, tensor in read_weights(folder).items()
    }
    weights = yield from settle(weights)
    engine = _engine(generation, config, weights, tokens, on_gpu=options.device == "gpu")
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _generation(folder: Path, config: Mapping[str, Any]) -> Generation:
    kind = config.get("model_type")
    if kind not in GENERATIONS:
        known = " and ".join(GENERATIONS)
        raise ModelUnavailable(f"the folder {folder.name!r} holds {kind!r}; this engine runs {known}")
    return GENERATIONS[kind]


def _engine(
    generation: Generation, config: Mapping[str, Any], weights: Weights, tokens: TextTokens, on_gpu: bool
) -> CosyVoice:
    model = SpeechModel(config["text"], generation)
    model.load_weights(list(_under(LANGUAGE_MODEL, weights).items()))
    model.eval()
    tensors = Tensors(weights)
    flow = tensors.under("flow")
    is_second = generation is SECOND
    hift = Hift(tensors.under("hift"), HiftShape(causal=not is_second))
    named = _under(VOICES, weights)
    voices = VoiceBook(
        S3Tokenizer(tensors.under("s3"), epsilon=1e-6 if is_second else 1e-5),
        CamPlus(tensors.under("campplus")),
        {name: np.array(named[name]) for name in config.get("voices", ())},
        hift.shape.rate,
        hift.shape.frame,
        generation.highest,
    )
    return CosyVoice(
        generation,
        model,
        second_flow(flow, ENCODER_HEADS, ESTIMATOR_HEADS)
        if is_second
        else third_flow(flow, int(config.get("transformer_heads", TRANSFORMER_HEADS))),
        hift,
        voices,
        tokens,
        nbytes=sum(w.nbytes for w in weights.values()),
        max_batch=MAX_BATCH,
        pipelined=on_gpu,
    )


def _under(prefix: str, weights: Weights) -> dict[str, mx.array]:
    return {name[len(prefix) :]: tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _warm_up(engine: CosyVoice) -> Generator[Progress, None, None]:
    """Say a word in a recording's voice, so that every network has run."""
    hum = np.sin(np.arange(round(HUM * 24_000)) * (2 * np.pi * 150 / 24_000)).astype(np.float32) / 4
    state = engine.begin(Speak(text=WARM_UP, options={"prompt_speech": Audio(hum, 24_000)}))
    done = 0
    while not state.finished:
        yield Progress("warm_up", done, done + 1)
        done += 1
        raise_first(engine.step([state]))
    engine.end(state)
