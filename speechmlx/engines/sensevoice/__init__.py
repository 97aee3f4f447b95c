"""SenseVoice: speech in five languages, with its language, emotion and events; FSMN-VAD before it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.parts.fbank import RATE, Normalisation
from speechmlx.engines.parts.fsmn_vad import fsmn_of
from speechmlx.engines.parts.networks import read_networks
from speechmlx.engines.parts.recording_engine import RecordingEngine
from speechmlx.engines.parts.warm_up import warm_up
from speechmlx.engines.sensevoice.network import ClipPieces, SenseVoiceNetwork
from speechmlx.engines.sensevoice.tagged import FAMILY, TaggedWriter
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Audio, Progress, Transcribe

VAD = "vad"
"""Folder inside the model's, of the network that finds the speech."""


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, RecordingEngine[ClipPieces]]:
    """Load both networks, always in float32."""
    config = read_config(folder)
    weights, vad = yield from read_networks(folder, [VAD])
    if "ctc.ctc_lo.weight" not in weights or not {"heads", "pieces"} <= config.keys():
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no SenseVoice")
    normalise = Normalisation(np.array(weights.pop("cmvn.shift")), np.array(weights.pop("cmvn.scale")))
    network, speech = SenseVoiceNetwork(weights, config["heads"]), fsmn_of(vad, folder / VAD)
    nbytes = network.nbytes + speech.nbytes
    engine = RecordingEngine(
        FAMILY, network, speech, normalise, lambda request, _: TaggedWriter(request, config["pieces"]), nbytes
    )
    if options.warm_up:
        yield from warm_up(engine, Transcribe(audio=Audio(np.zeros(RATE, np.float32), RATE), vad=False))
    return engine
