"""A converted folder → the engine: its weights in slices, then a first word."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten

from speechmlx.engines import LoadOptions
from speechmlx.engines.fishspeech.engine import FishSpeech
from speechmlx.engines.fishspeech.firefly import RATE, FireflyDecoder, FireflyEncoder
from speechmlx.engines.fishspeech.network import DualAr
from speechmlx.engines.fishspeech.shape import read_shape
from speechmlx.engines.fishspeech.text_tokens import FishTokens
from speechmlx.engines.fishspeech.voices import ReferenceShelf
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.engines.parts.warm_up import warm_up
from speechmlx.engines.weights import read_weights, settle
from speechmlx.errors import ModelUnavailable, WeightsDamaged
from speechmlx.types import Audio, Progress, ReferenceVoice, Speak

CODEC = "firefly."
"""How the names of the codec's tensors begin."""
WARM_UP = "Hi."
FRAMES = 7
"""They make a chunk of sound of each size."""


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, FishSpeech]:
    """Read the weights in slices, and say WARM_UP if the options ask for it.

    The transformers stay in 16 bits on a GPU, and become float32 on a CPU, where other types are slow; the codec is
    float32. Raises ModelUnavailable, WeightsDamaged, and NotFinite for sound that is no numbers.
    """
    shape = read_shape(folder)
    tokens = FishTokens(folder, shape)
    is_gpu = options.device == "gpu"
    weights = {
        name: tensor if is_gpu and not name.startswith(CODEC) else tensor.astype(mx.float32)
        for name, tensor in read_weights(folder).items()
    }
    model = DualAr(shape, tokens.frames)
    _check(model, {name: tensor for name, tensor in weights.items() if not name.startswith(CODEC)})
    weights = yield from settle(weights)
    model.load_weights([(name, tensor) for name, tensor in weights.items() if not name.startswith(CODEC)])
    model.eval()
    codec = Tensors(weights).under(CODEC.rstrip("."))
    try:
        decoder, encoder = FireflyDecoder(codec, fused=is_gpu), FireflyEncoder(codec)
    except KeyError as error:
        raise WeightsDamaged(f"the codec's weights {error} are missing") from error
    if decoder.books != shape.codebooks:
        raise ModelUnavailable(f"the codec has {decoder.books} codebooks, and the model {shape.codebooks}")
    nbytes = bytes_of(model, decoder, encoder)
    shelf = ReferenceShelf(encoder)
    engine = FishSpeech(model, shape, tokens, decoder, shelf, nbytes=nbytes, fused=is_gpu, pipelined=is_gpu)
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _check(model: DualAr, weights: Mapping[str, mx.array]) -> None:
    """Raises WeightsDamaged where the transformers' weights are not those of `model`."""
    wanted = {name: tensor.shape for name, tensor in tree_flatten(model.parameters())}
    for what, names in (
        ("are missing", wanted.keys() - weights.keys()),
        ("have no place in the model", weights.keys() - wanted.keys()),
        ("have another shape than the model", {n for n, w in weights.items() if wanted.get(n, w.shape) != w.shape}),
    ):
        if names:
            raise WeightsDamaged(f"{len(names)} weights {what}: {', '.join(sorted(names)[:3])}")


def _warm_up(engine: FishSpeech) -> Generator[Progress, None, None]:
    """Say a few frames alone and a few together, so that the first requests find kernels compiled."""
    noise = np.random.default_rng(0).normal(0, 0.01, RATE).astype(np.float32)
    request = Speak(
        text=WARM_UP,
        voice=ReferenceVoice(Audio(noise, RATE), "", "warm-up"),
        options={"max_new_tokens": FRAMES, "temperature": 0},
    )
    yield from warm_up(engine, request, (1, 2))
    engine.shelf.clear()
