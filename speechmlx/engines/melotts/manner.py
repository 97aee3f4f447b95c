"""What a request asks of MeloTTS besides its text: the speaker, the speed, and how much is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.errors import BadRequest, UnknownVoice, Unsupported
from speechmlx.names import listed, spelt
from speechmlx.types import NamedVoice, ReferenceVoice, Synthesis

SLOWEST, FASTEST = 0.25, 4.0
OPTIONS: Mapping[str, tuple[float, float, float]] = {
    "sdp_ratio": (0, 1, 0.2),
    "noise_scale": (0, 2, 0.6),
    "noise_scale_w": (0, 2, 0.8),
    "seed": (0, 2**32 - 1, 0),
}
"""The least number of each, the greatest one, and that where a request names none. The seed is a whole one."""


@dataclass(frozen=True)
class MeloManner:
    """How a text is said."""

    speaker: int
    speed: float
    drawn: float
    """Share of the durations that are drawn."""
    noise: float
    """Of the sound: the deviation of what is drawn."""
    duration_noise: float
    seed: int


def read_manner(request: Synthesis, speakers: Mapping[str, int], language: str) -> MeloManner:
    """What `request` asks for. Raises BadRequest, Unsupported and UnknownVoice, which tell what is allowed."""
    if not SLOWEST <= request.speed <= FASTEST:
        raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
    wanted = languages.code(request.language)
    if wanted not in (None, language):
        raise Unsupported(
            f"this MeloTTS speaks {languages.name(language)}, not {request.language!r:.40}: each language has a model "
            "of its own, and GET /v1/models lists them"
        )
    if unknown := sorted(request.options.keys() - OPTIONS.keys()):
        raise Unsupported(f"MeloTTS does not know {', '.join(unknown)}; its options are {', '.join(OPTIONS)}")
    drawn, noise, duration_noise, seed = (_number(request.options, name) for name in OPTIONS)
    return MeloManner(_speaker(request.voice, speakers), request.speed, drawn, noise, duration_noise, int(seed))


def _speaker(voice: NamedVoice | ReferenceVoice | None, speakers: Mapping[str, int]) -> int:
    if isinstance(voice, ReferenceVoice):
        raise Unsupported(f"MeloTTS cannot imitate a recording; its voices are {', '.join(speakers)}")
    if voice is None:
        return next(iter(speakers.values()))
    named = {spelt(name): number for name, number in speakers.items()}
    if spelt(voice.name) not in named:
        own = listed(voice.name, speakers, "GET /v1/audio/voices lists all")
        raise UnknownVoice(f"no voice {voice.name!r:.60}; the voices are {own}")
    return named[spelt(voice.name)]


def _number(options: Mapping[str, Any], name: str) -> float:
    least, most, default = OPTIONS[name]
    value = options.get(name, default)
    is_whole = name == "seed"
    right = isinstance(value, int) or (isinstance(value, float) and (not is_whole or value.is_integer()))
    if isinstance(value, bool) or not right or not least <= value <= most:
        kind = "whole number" if is_whole else "number"
        raise BadRequest(f"{name} must be a {kind} from {least:g} to {most:.10g}, not {value!r:.40}")
    return float(value)
