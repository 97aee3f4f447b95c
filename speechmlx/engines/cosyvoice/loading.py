"""A converted folder → the engine: its weights in slices, then a first word."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.cosyvoice.encoded_text_model import EncodedTextModel
from speechmlx.engines.cosyvoice.engine import CosyVoice, NewSound, longest_sequence
from speechmlx.engines.cosyvoice.generation import FIRST, FIRST_INSTRUCT, FIRST_SFT, SECOND, THIRD, Generation
from speechmlx.engines.cosyvoice.speech_model import SpeechModel, SpeechNetwork
from speechmlx.engines.cosyvoice.text_tokens import QwenTokens, TextTokens, WhisperTokens
from speechmlx.engines.cosyvoice.utterance_sound import UtteranceSound
from speechmlx.engines.cosyvoice.voices import VoiceBook
from speechmlx.engines.cosyvoice.whole_sound import WholeSound
from speechmlx.engines.parts import hift as vocoder
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.hift import Hift, HiftShape
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.resampled_flow import ResampledFlow
from speechmlx.engines.parts.s3_tokenizer import FirstS3Tokenizer, S3Tokenizer
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.token_flow import second_flow, third_flow
from speechmlx.engines.parts.turn_synthesis import MOST_PIECE
from speechmlx.engines.parts.warm_up import warm_up
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Audio, Progress, Speak

Weights = Mapping[str, mx.array]

GENERATIONS = {
    "cosyvoice1": FIRST,
    "cosyvoice1-sft": FIRST_SFT,
    "cosyvoice1-instruct": FIRST_INSTRUCT,
    "cosyvoice2": SECOND,
    "cosyvoice3": THIRD,
}
"""By `model_type` in config.json."""
HEADS = 8
"""Of a flow's encoder, and of its U-net."""
TRANSFORMER_HEADS = 16
LANGUAGE_MODEL, VOICES = "lm.", "voices."
"""Prefixes of the tensors of the language model, and of the speakers."""
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
    is_first = not generation.is_chunked
    tokens = WhisperTokens(generation.signs) if is_first else QwenTokens(folder, generation.signs)
    dtype = mx.float32 if options.device == "cpu" else getattr(mx, options.dtype)
    weights = {
        name: tensor.astype(dtype if name.startswith(LANGUAGE_MODEL) else mx.float32)
        for name, tensor in read_weights(folder).items()
    }
    weights = yield from settle(weights)
    model: SpeechNetwork
    if is_first:
        model = EncodedTextModel(Tensors(weights).under("lm"), generation)
        nbytes = sum(tensor.nbytes for tensor in weights.values())
        for _ in model.prepare(longest_sequence(generation), MOST_PIECE):
            yield Progress("load", nbytes, nbytes)
    else:
        model = SpeechModel(config["text"], generation)
        model.load_weights(list(_under(LANGUAGE_MODEL, weights).items()))
        model.eval()
    engine = _engine(generation, config, weights, model, tokens, on_gpu=options.device == "gpu")
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _generation(folder: Path, config: Mapping[str, Any]) -> Generation:
    kind = config.get("model_type")
    if kind not in GENERATIONS:
        known = ", ".join(GENERATIONS)
        raise ModelUnavailable(f"the folder {folder.name!r} holds {kind!r}; this engine runs {known}")
    return GENERATIONS[kind]


def _engine(
    generation: Generation,
    config: Mapping[str, Any],
    weights: Weights,
    model: SpeechNetwork,
    tokens: TextTokens,
    on_gpu: bool,
) -> CosyVoice:
    tensors, named, pace = Tensors(weights), _under(VOICES, weights), LayerPace()
    hift = Hift(tensors.under("hift"), pace, _shape(generation))
    imitating = None
    if not generation.recording_refused:
        imitating = _tokenizer(generation, tensors.under("s3"), pace), CamPlus(tensors.under("campplus"), pace)
    voices = VoiceBook(
        generation,
        {name: np.array(named[name]) for name in config.get("voices", ())},
        hift.shape.rate,
        hift.shape.frame,
        imitating,
    )
    return CosyVoice(
        generation,
        model,
        _new_sound(generation, config, tensors.under("flow"), hift, pace),
        hift.shape.rate,
        voices,
        tokens,
        pipelined=on_gpu,
        pace=pace,
    )


def _shape(generation: Generation) -> HiftShape:
    return HiftShape(causal=generation is THIRD) if generation.is_chunked else vocoder.FIRST


def _tokenizer(generation: Generation, tensors: Tensors, pace: LayerPace) -> S3Tokenizer:
    if not generation.is_chunked:
        return FirstS3Tokenizer(tensors, pace)
    return S3Tokenizer(tensors, 1e-6 if generation is SECOND else 1e-5, pace)


def _new_sound(
    generation: Generation, config: Mapping[str, Any], tensors: Tensors, hift: Hift, pace: LayerPace
) -> NewSound:
    if not generation.is_chunked:
        return partial(WholeSound, ResampledFlow(tensors, HEADS, HEADS, pace), hift)
    if generation is SECOND:
        return partial(UtteranceSound, second_flow(tensors, HEADS, HEADS, pace), hift)
    heads = int(config.get("transformer_heads", TRANSFORMER_HEADS))
    return partial(UtteranceSound, third_flow(tensors, heads, pace), hift)


def _under(prefix: str, weights: Weights) -> dict[str, mx.array]:
    return {name[len(prefix) :]: tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _warm_up(engine: CosyVoice) -> Generator[Progress, None, None]:
    """Say a word in a recording's voice, or else in a speaker's, so that every network has run."""
    hum = np.sin(np.arange(round(HUM * 24_000)) * (2 * np.pi * 150 / 24_000)).astype(np.float32) / 4
    prompt = {} if engine.generation.recording_refused else {"prompt_speech": Audio(hum, 24_000)}
    yield from warm_up(engine, Speak(text=WARM_UP, options=prompt))
    engine.forget_voices()
