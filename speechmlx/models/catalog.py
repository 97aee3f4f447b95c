"""The catalog: one row per model, in rows/, and the profiles. Only rows name engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import cast

from speechmlx.models.admission import admitted
from speechmlx.models.rows.absent import ABSENT
from speechmlx.models.rows.by_language import BY_LANGUAGE
from speechmlx.models.rows.cloning import F5, FISHSPEECH
from speechmlx.models.rows.conversing import SPEECH_TO_SPEECH
from speechmlx.models.rows.hearing import FUNASR, RECOGNISERS
from speechmlx.models.rows.melotts import MELOTTS
from speechmlx.models.rows.others import OTHERS
from speechmlx.models.rows.speaking import CHATTTS, KITTEN, POCKET, QWEN3_TTS_ROWS, SPEECH
from speechmlx.models.rows.whisper import WHISPER
from speechmlx.models.spec import (
    Catalog,
    HubFiles,
    IndexFiles,
    Model,
    PackageFile,
    SourceFailed,
    needed_together,
    profile,
)
from speechmlx.types import Kind

__all__ = [
    "CATALOG",
    "Catalog",
    "HubFiles",
    "IndexFiles",
    "Model",
    "PackageFile",
    "SourceFailed",
    "load",
    "needed_together",
    "profile",
]


def load(cache: Path | None = None) -> Catalog:
    """CATALOG, or what the function in $SPEECHMLX_CATALOG ("package.module:function") makes of it.

    With a `cache` folder, the models that its owner has admitted are known too, those that come later as well.
    """
    known = CATALOG if cache is None else replace(CATALOG, admitted=partial(admitted, cache))
    target = os.environ.get("SPEECHMLX_CATALOG")
    if not target:
        return known
    module, _, function = target.partition(":")
    extend = cast(Callable[[Catalog], Catalog], getattr(import_module(module), function))
    return extend(known)


STARTER: Mapping[Kind, str] = {
    Kind.ASR: "whisper-base",
    Kind.TTS: "kokoro-82m",
    Kind.ENHANCE: "deepfilternet3",
    Kind.VAD: "silero-vad",
    Kind.TURN: "smart-turn-v3",
    Kind.DIARIZE: "ecapa-diarizer",
    Kind.LLM: "smollm2-135m-instruct",
}

STANDARD: Mapping[Kind, str] = {**STARTER, Kind.ASR: "whisper-large-v3-turbo", Kind.LLM: "qwen3-4b-instruct"}

LARGE: Mapping[Kind, str] = {**STANDARD, Kind.TTS: "qwen3-tts-0.6b-customvoice"}
"""It has Qwen3-TTS's voices too: ten languages, and how a text is to be spoken."""

LISTENERS = {"standard": "whisper-small", "large": "whisper-small"}
"""The recogniser of recordings costs too much live: a pass over the last seconds of speech is due twice a second."""

PROFILES = {"starter": STARTER, "standard": STANDARD, "large": LARGE}

CATALOG = Catalog(
    (
        *WHISPER,
        *RECOGNISERS,
        *FUNASR,
        *SPEECH,
        *SPEECH_TO_SPEECH,
        *OTHERS,
        *QWEN3_TTS_ROWS,
        *F5,
        *CHATTTS,
        *FISHSPEECH,
        *MELOTTS,
        *KITTEN,
        *POCKET,
        *ABSENT,
    ),
    PROFILES,
    LISTENERS,
    BY_LANGUAGE,
)
