"""A converted folder → the engine: its weights in slices, then a first word."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.chattts.engine import ChatTts
from speechmlx.engines.chattts.mel_decoder import MelDecoder
from speechmlx.engines.chattts.network import GROUPS, ChatModel, ChatSize
from speechmlx.engines.chattts.speakers import SpeakerBook
from speechmlx.engines.chattts.tokens import ChatTokens
from speechmlx.engines.finite import raise_first
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.vocos import VocosDecoder
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable, WeightsDamaged
from speechmlx.types import Progress, Speak

Weights = Mapping[str, mx.array]

KIND = "chat_tts"
"""`model_type` in config.json."""
LANGUAGE_MODEL, DECODER, VOCODER, SPEAKERS = "lm.", "mel.", "vocos.", "speakers."
"""Prefixes of the tensors of the parts."""
WARM_UP = "Hi."
MOST_DRAWN = 4
"""Tokens and frames that are drawn of it."""


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, ChatTts]:
    """Read the weights in slices, and say WARM_UP if the options ask for it.

    The language model has the type of the options; all else is float32. Raises ModelUnavailable, WeightsDamaged for
    weights that are not those of ChatTTS or not finite numbers, and NotFinite for such a sound.
    """
    config = read_config(folder)
    if config.get("model_type") != KIND:
        raise ModelUnavailable(
            f"the folder {folder.name!r} holds {config.get('model_type')!r}; this engine runs {KIND}"
        )
    tokens = ChatTokens(folder)
    dtype = getattr(mx, options.dtype)
    weights = {
        name: tensor.astype(dtype if name.startswith(LANGUAGE_MODEL) else mx.float32)
        for name, tensor in read_weights(folder).items()
    }
    weights = yield from settle(weights)
    engine = _engine(folder, config, weights, tokens, on_gpu=options.device == "gpu")
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _engine(folder: Path, config: Mapping[str, Any], weights: Weights, tokens: ChatTokens, on_gpu: bool) -> ChatTts:
    try:
        model = _language_model(config, _under(LANGUAGE_MODEL, weights))
        mean, std = (np.array(weights[SPEAKERS + name]).astype(np.float16) for name in ("mean", "std"))
    except (KeyError, ValueError) as error:
        raise WeightsDamaged(f"the weights of {folder.name!r} are not those of ChatTTS: {error}") from error
    if tokens.size > model.text_head.weight.shape[0]:
        raise WeightsDamaged(f"the tokenizer of {folder.name!r} has {tokens.size} tokens, more than its network")
    return ChatTts(
        model,
        MelDecoder(Tensors(weights, DECODER)),
        VocosDecoder(_under(VOCODER, weights)),
        SpeakerBook(mean, std),
        tokens,
        nbytes=sum(w.nbytes for w in weights.values()),
        pipelined=on_gpu,
    )


def _language_model(config: Mapping[str, Any], weights: Weights) -> ChatModel:
    codes, _ = divmod(len(weights["codes.weight"]), GROUPS)
    model = ChatModel(ChatSize(config["llama"], text=len(weights["model.embed_tokens.weight"]), codes=codes))
    model.load_weights(list(weights.items()))
    model.eval()
    return model


def _under(prefix: str, weights: Weights) -> dict[str, mx.array]:
    return {name[len(prefix) :]: tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _warm_up(engine: ChatTts) -> Generator[Progress, None, None]:
    """Refine and say the beginning of a word, so that every network has run."""
    state = engine.begin(Speak(text=WARM_UP))
    done = 0
    while not state.finished:
        yield Progress("warm_up", done, done + 1)
        done += 1
        raise_first(engine.step([state]))
        for piece in state.pieces:
            piece.sequence.limit = min(piece.sequence.limit, MOST_DRAWN)
    engine.end(state)
