"""Kokoro's voices: names, the language encoded by the first letter of a name, and blends."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import mlx.core as mx

from speechmlx.errors import BadRequest, UnknownVoice
from speechmlx.names import BLEND, listed, spelt

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
PART = re.compile(r"([^*()]+)(?:\*([^*()]*)|\(([^*()]*)\))?")
"""A voice of a blend and its weight: "af_heart", "af_heart*0.7" or "af_heart(0.7)"."""
MOST = 100
"""Largest number of voices in a blend."""


@dataclass
class Voices:
    """The voices in the folder of a model. Each is read at its first use."""

    folder: Path
    dtype: mx.Dtype
    names: tuple[str, ...]
    _loaded: dict[str, mx.array] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, dtype: mx.Dtype) -> Voices:
        return cls(folder, dtype, tuple(sorted(path.stem for path in folder.glob("*.safetensors"))))

    def blend(self, voice: str) -> mx.array:
        """ "af_heart", "af_heart+af_sky" or "af_heart*0.7+af_sky*0.3" → styles [510, 1, 256], a row per token count.

        Raises UnknownVoice for an unknown name or a malformed blend, and BadRequest for an invalid weight or more than
        MOST voices.
        """
        parts = parse_blend(voice)
        for name, _ in parts:
            if name not in self.names:
                where = "GET /v1/audio/voices lists all"
                raise UnknownVoice(f"no voice {name!r:.100}; the voices are {listed(name, self.names, where)}")
        return sum((self._read(name) * weight for name, weight in parts), mx.array(0.0, self.dtype))

    def _read(self, name: str) -> mx.array:
        if name not in self._loaded:
            tensors = cast(dict[str, mx.array], mx.load(str(self.folder / f"{name}.safetensors")))
            (styles,) = tensors.values()
            self._loaded[name] = styles.astype(self.dtype)
        return self._loaded[name]

    def default(self, language: str | None) -> str:
        """The default voice of a language, for requests without a voice."""
        name = DEFAULTS.get(language or "", DEFAULT)
        return name if name in self.names else self.names[0]


def parse_blend(voice: str) -> list[tuple[str, float]]:
    """Parse a blend into voice names and weights that sum to 1. Raises UnknownVoice and BadRequest."""
    parts, weights = voice.split("+"), []
    if len(parts) > MOST:
        raise BadRequest(f"a blend has at most {MOST} voices, not {len(parts)}")
    for part in parts:
        match = PART.fullmatch(part.strip())
        if match is None:
            raise UnknownVoice(f"{voice!r:.100} is no voice; {BLEND}")
        written = match[2] if match[3] is None else match[3]
        try:
            weight = 1.0 if written is None else float(written)
        except ValueError:
            weight = 0.0
        if not 0 < weight < math.inf:
            raise BadRequest(f"the weight {written!r:.100} in {voice!r:.100} is no positive number; {BLEND}")
        weights.append((spelt(match[1]), weight))
    total = sum(weight for _, weight in weights)
    if total == math.inf:
        raise BadRequest(f"the weights in {voice!r:.100} are too large to be added; {BLEND}")
    return [(name, weight / total) for name, weight in weights]


def language_of(voice: str, names: Sequence[str]) -> str:
    """The language of the first voice of a blend; "en-us" if the voice is not in `names`."""
    first = parse_blend(voice)[0][0]
    return LANGUAGES.get(first[:1], "en-us") if first in names else "en-us"
