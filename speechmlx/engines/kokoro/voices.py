"""Kokoro's voices: their names, the languages in their first letters, and blends of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import mlx.core as mx

from speechmlx.errors import BadRequest, UnknownVoice

DEFAULT = "af_heart"
LANGUAGES = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt",
    "z": "zh",
}
DEFAULTS = {"en-gb": "bf_emma", "es": "ef_dora", "fr": "ff_siwis", "hi": "hf_alpha", "it": "if_sara", "ja": "jf_alpha"}
DEFAULTS |= {"pt": "pf_dora", "zh": "zf_xiaobei", "en-us": DEFAULT}


@dataclass
class Voices:
    """The voices of one model's folder, read when first asked for."""

    folder: Path
    dtype: mx.Dtype
    names: tuple[str, ...]
    _loaded: dict[str, mx.array] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, dtype: mx.Dtype) -> Voices:
        return cls(folder, dtype, tuple(sorted(path.stem for path in folder.glob("*.safetensors"))))

    def blend(self, voice: str) -> mx.array:
        """ "af_heart", "af_heart+af_sky" or "af_heart*0.7+af_sky*0.3" → styles [510, 1, 256], a row per token count.

        Raises UnknownVoice for a name the folder does not hold, BadRequest for a weight that is no positive number.
        """
        parts = [self._weighed(part) for part in voice.split("+")]
        total = sum(weight for _, weight in parts)
        return sum((self._read(name) * (weight / total) for name, weight in parts), mx.array(0.0, self.dtype))

    def _weighed(self, part: str) -> tuple[str, float]:
        name, _, written = part.partition("*")
        name = name.strip()
        if name not in self.names:
            raise UnknownVoice(f"no voice {name!r}; the voices are {', '.join(self.names)}")
        try:
            weight = float(written or 1)
        except ValueError:
            weight = 0.0
        if not 0 < weight < float("inf"):
            raise BadRequest(f"voice weight {written!r} must be a positive number, as in af_heart*0.7+af_sky*0.3")
        return name, weight

    def _read(self, name: str) -> mx.array:
        if name not in self._loaded:
            tensors = cast(dict[str, mx.array], mx.load(str(self.folder / f"{name}.safetensors")))
            (styles,) = tensors.values()
            self._loaded[name] = styles.astype(self.dtype)
        return self._loaded[name]

    def default(self, language: str | None) -> str:
        """The voice for a language when the client names none."""
        name = DEFAULTS.get(language or "", DEFAULT)
        return name if name in self.names else self.names[0]


def language_of(voice: str, names: Sequence[str]) -> str:
    """The language of a voice or blend: of its first voice; "en-us" for one of the client's own."""
    first = voice.split("+")[0].partition("*")[0].strip()
    return LANGUAGES.get(first[:1], "en-us") if first in names else "en-us"
