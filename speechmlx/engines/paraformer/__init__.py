"""Paraformer: Chinese and English speech in recordings, with FSMN-VAD before it and CT-Transformer behind it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.finite import raise_first
from speechmlx.engines.paraformer.engine import Paraformer
from speechmlx.engines.paraformer.network import ParaformerNetwork
from speechmlx.engines.paraformer.punctuation import punctuation_of
from speechmlx.engines.parts.fbank import RATE, Normalisation
from speechmlx.engines.parts.fsmn_vad import fsmn_of
from speechmlx.engines.parts.networks import read_networks
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Audio, Progress, Transcribe

PUNCTUATION, VAD = "punctuation", "vad"
"""Folders inside the model's: of the networks that work with it."""


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Paraformer]:
    """Load the three networks, always in float32. Without a folder PUNCTUATION there is no punctuation."""
    config, punctuated = read_config(folder), (folder / PUNCTUATION).is_dir()
    weights, vad, *marks = yield from read_networks(folder, [VAD, *([PUNCTUATION] if punctuated else [])])
    if "predictor.cif_output.weight" not in weights or not {"heads", "tokens"} <= config.keys():
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no Paraformer")
    normalise = Normalisation(np.array(weights.pop("cmvn.shift")), np.array(weights.pop("cmvn.scale")))
    speech = fsmn_of(vad, folder / VAD)
    punctuation = punctuation_of(marks[0], folder / PUNCTUATION) if marks else None
    network = ParaformerNetwork(weights, *config["heads"])
    engine = Paraformer(network, normalise, config["tokens"], speech, punctuation)
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        state = engine.begin(Transcribe(audio=Audio(np.zeros(RATE, np.float32), RATE), vad=False))
        while not state.finished:
            raise_first(engine.step([state]))
        engine.end(state)
    return engine
