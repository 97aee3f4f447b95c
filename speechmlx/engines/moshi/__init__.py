"""Moshi and PersonaPlex: models that hear and speak at the same time, frame by frame of 80 ms."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.moshi.checkpoint import read_models, read_voices
from speechmlx.engines.moshi.engine import MoshiEngine
from speechmlx.engines.moshi.frame import MoshiFrames, MoshiSampling
from speechmlx.engines.moshi.text import MoshiTokenizer
from speechmlx.engines.parts.mimi import RATE
from speechmlx.engines.parts.warm_up import warm_up
from speechmlx.engines.weights import read_config
from speechmlx.types import Audio, Progress, Respond


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, MoshiEngine]:
    """`folder` is as `models.convert.moshi` makes it. Raises ModelUnavailable.

    config.json may name `quantization` (bits, group_size), `takes_roles`, and sizes other than the published ones.
    """
    config = read_config(folder)
    tokenizer = MoshiTokenizer(folder)
    yield Progress("load", 0, 1, "tokenizer")
    network, codec = yield from read_models(folder, config, dequantise=options.device == "cpu")
    voices = read_voices(folder, network.sizes, network.out_norm.weight.dtype)
    step = MoshiFrames(network, codec, MoshiSampling(), options.device)
    engine = MoshiEngine(step, tokenizer, voices, bool(config.get("takes_roles")))
    if options.warm_up:
        # So the prompt of the default voice and role is read, too.
        silence = Audio(np.zeros(codec.sizes.frame, np.float32), RATE)
        yield from warm_up(engine, Respond(audio=silence, max_steps=1))
    return engine
