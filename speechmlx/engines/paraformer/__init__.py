"""Paraformer: Chinese and English speech in recordings, with FSMN-VAD before it and CT-Transformer behind it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.paraformer.network import ClipTokens, ParaformerNetwork
from speechmlx.engines.paraformer.punctuation import Punctuator, punctuation_of
from speechmlx.engines.paraformer.transcript import FAMILY, TranscriptWriter
from speechmlx.engines.parts.fbank import RATE, Normalisation
from speechmlx.engines.parts.fsmn_vad import fsmn_of
from speechmlx.engines.parts.networks import read_networks
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.recording_engine import RecordingEngine
from speechmlx.engines.parts.warm_up import warm_up
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Audio, Progress, Transcribe

PUNCTUATION, VAD = "punctuation", "vad"
"""Folders inside the model's: of the networks that work with it."""


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, RecordingEngine[ClipTokens]]:
    """Load the three networks, always in float32. Without a folder PUNCTUATION there is no punctuation."""
    config, punctuated = read_config(folder), (folder / PUNCTUATION).is_dir()
    weights, vad, *marks = yield from read_networks(folder, [VAD, *([PUNCTUATION] if punctuated else [])])
    if "predictor.cif_output.weight" not in weights or not {"heads", "tokens"} <= config.keys():
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no Paraformer")
    normalise = Normalisation(np.array(weights.pop("cmvn.shift")), np.array(weights.pop("cmvn.scale")))
    speech = fsmn_of(vad, folder / VAD)
    punctuation = punctuation_of(marks[0], folder / PUNCTUATION) if marks else None
    network = ParaformerNetwork(weights, *config["heads"])

    def writer(request: Transcribe, pace: LayerPace) -> TranscriptWriter:
        punctuator = Punctuator(punctuation, pace) if punctuation else None
        return TranscriptWriter(request, config["tokens"], punctuator)

    nbytes = network.nbytes + speech.nbytes + (punctuation.nbytes if punctuation else 0)
    engine = RecordingEngine(FAMILY, network, speech, normalise, writer, nbytes)
    if options.warm_up:
        yield from warm_up(engine, Transcribe(audio=Audio(np.zeros(RATE, np.float32), RATE), vad=False))
    return engine
