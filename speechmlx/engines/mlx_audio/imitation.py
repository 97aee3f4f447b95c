"""Recordings that are imitated: brought to the model's rate, and encoded and read once for each voice."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

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
MOST_READ = 4
"""Voices of a model of READERS that are kept as its network has read them."""
READERS: Mapping[str, str] = {"fish_drama3": "_start_caches"}
"""By family: a method that has the network read a recording and its text before the text that is to be said, and keeps
the keys and values as `prefix` of the package's own voice, which is a job's."""


@dataclass(frozen=True)
class ReadVoice:
    """Keys and values of a recording and its text, as groups of the package's caches, in memory of their own."""

    prefix: tuple[list[Any], ...]
    nbytes: int

    @classmethod
    def of(cls, prefix: tuple[list[Any], ...]) -> ReadVoice:
        """Raises NotFinite."""
        caches = [vars(cache) for group in prefix for cache in group]
        for cache in caches:  # views of what has room for more
            cache.update(tree_map(lambda one: mx.contiguous(one) if _is_array(one) else one, cache))
        arrays = [leaf for _, leaf in tree_flatten(caches) if _is_array(leaf)]
        if not mx.stack([mx.isfinite(array).all() for array in arrays]).all().item():
            raise NotFinite("the keys and values of a voice")
        return cls(prefix, sum(array.nbytes for array in arrays))


class ImitatedVoices:
    """The voices that one loaded model has imitated."""

    def __init__(self, family: str, rate: int) -> None:
        self._family = family
        self._rate = rate
        self._encodings: Remembered[Any] = Remembered(MOST_VOICES)
        self._read = Remembered[ReadVoice](MOST_READ)

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values that are kept."""
        return sum(voice.nbytes for voice in self._read.values())

    def __len__(self) -> int:
        """Encodings that are kept."""
        return len(self._encodings)

    def forget(self) -> None:
        """Free all that is kept."""
        self._encodings.clear()
        self.make_room()

    def make_room(self) -> None:
        """Free the keys and values."""
        self._read.clear()

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
        if reader := READERS.get(self._family):
            read = getattr(type(model), reader)
            setattr(model, reader, partial(self._started, (voice.id, voice.text), weakref.ref(model), read))

    def _encoded(self, key: tuple[str, str], model: Any, encode: Any, *recording: Any, **options: Any) -> Any:
        def make() -> Any:
            made = encode(model(), *recording, **options)
            if not mx.isfinite(made).all().item():
                raise NotFinite("the encoding of a voice")
            return made

        return self._encodings.get(key, make)

    def _started(self, key: tuple[str, str], model: Any, read: Any, frames: mx.array, rows: int, voice: Any) -> Any:
        def make() -> ReadVoice:
            read(model(), frames, rows, voice)
            return ReadVoice.of(voice.prefix)

        voice.prefix = self._read.get(key, make).prefix
        return read(model(), frames, rows, voice)


def _is_array(value: object) -> bool:
    return isinstance(value, mx.array)
