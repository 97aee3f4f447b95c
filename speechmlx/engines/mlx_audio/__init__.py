"""Any family of the package mlx-audio behind the engines' contract: recognition, synthesis and the rest.

The folder's bridge.json says which family the weights are of (speechmlx/models/bridge). Each job works on a structural
clone of the model (clone.py), in steps that give control back (cooperative.py), so jobs of one model may interleave.
Those of a family in BATCHED share each step instead.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from speechmlx.engines import Engine, LoadOptions
from speechmlx.engines.mlx_audio import checkpoint, sinc_resampling
from speechmlx.engines.mlx_audio.alignment import ForcedAligner, aligns
from speechmlx.engines.mlx_audio.cooperative import hook
from speechmlx.engines.mlx_audio.diarization import Diarizer
from speechmlx.engines.mlx_audio.enhancement import WindowedEnhancer
from speechmlx.engines.mlx_audio.first_request import first_request
from speechmlx.engines.mlx_audio.higgs.engine import HiggsSpeech
from speechmlx.engines.mlx_audio.identification import LanguageIdentifier
from speechmlx.engines.mlx_audio.phonemizers import provide
from speechmlx.engines.mlx_audio.recognition import Recognizer
from speechmlx.engines.mlx_audio.synthesis import Synthesizer
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Progress

BATCHED: Mapping[str, Callable[[checkpoint.BridgedModel], Engine]] = {"higgs_audio_v3": HiggsSpeech}
"""By family: synthesis that steps several requests together."""
ADAPTERS: Mapping[str, Callable[[checkpoint.BridgedModel], Engine]] = {
    "tts": lambda read: BATCHED.get(read.family, Synthesizer)(read),
    "stt": lambda read: ForcedAligner(read) if aligns(read.model) else Recognizer(read),
    "vad": Diarizer,
    "sts": WindowedEnhancer,
    "lid": LanguageIdentifier,
}
"""What a family's part of the package does here."""


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Engine]:
    """Load the model of `folder`. Raises ModelUnavailable, WeightsDamaged, and NotFinite for a broken network."""
    read = yield from checkpoint.read(folder, options)
    if read.part not in ADAPTERS:
        raise ModelUnavailable(f"this version cannot run {read.part} models of mlx-audio, such as {read.family}")
    provide(read.family, read.model)
    hook(read.model)
    sinc_resampling.install()
    engine = ADAPTERS[read.part](read)
    if options.warm_up:
        yield from first_request(engine)
    return engine
