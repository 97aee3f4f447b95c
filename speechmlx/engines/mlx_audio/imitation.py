"""Recordings that are imitated: brought to the model's rate, and encoded once for each voice."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any

import mlx.core as mx

from speechmlx.audio.resample import resample
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.remembered import Remembered
from speechmlx.errors import BadRequest
from speechmlx.types import ReferenceVoice

MOST_REFERENCE = 60.0
"""Seconds of a recording whose voice is imitated."""
MOST_VOICES = 8
"""Voices of a model whose encodings are kept."""
ENCODERS: Mapping[str, tuple[str, ...]] = {
    "pocket_tts": ("_encode_audio",),
    "higgs_audio_v3": ("encode_reference_audio",),
    "fish_drama3": ("_encode_audio",),
}
"""By family: methods of the model that make an array of the recording alone. Other families encode it each time."""


class ImitatedVoices:
    """The voices that one loaded model has imitated."""

    def __init__(self, family: str, rate: int) -> None:
        self._family = family
        self._rate = rate
        self._encodings: Remembered[Any] = Remembered(MOST_VOICES)

    def __len__(self) -> int:
        """Encodings that are kept."""
        return len(self._encodings)

    def forget(self) -> None:
        """Free the encodings."""
        self._encodings.clear()

    def samples(self, voice: ReferenceVoice) -> mx.array:
        """The recording at the model's rate [n]. Raises BadRequest for one that is too long or has no sound."""
        audio = voice.audio
        if audio.duration > MOST_REFERENCE:
            raise BadRequest(
                f"the voice's recording has {audio.duration:.0f} s; at most {MOST_REFERENCE:g} s are heard"
            )
        if not len(audio.samples):
            raise BadRequest("the voice's recording has no sound")
        return mx.array(resample(audio.samples, audio.rate, self._rate))

    def teach(self, model: Any, voice: ReferenceVoice) -> None:
        """Let a job's own clone of the model know what was encoded of this voice before."""
        for name in ENCODERS.get(self._family, ()):
            encode = getattr(type(model), name)
            setattr(model, name, partial(self._encoded, (voice.id, name), weakref.ref(model), encode))

    def _encoded(self, key: tuple[str, str], model: Any, encode: Any, *recording: Any, **options: Any) -> Any:
        def make() -> Any:
            made = encode(model(), *recording, **options)
            if not mx.isfinite(made).all().item():
                raise NotFinite("the encoding of a voice")
            return made

        return self._encodings.get(key, make)
