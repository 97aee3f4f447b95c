"""What a request asks of MeloTTS besides its text: the speaker, the speed, and how much is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speechmlx import languages
from speechmlx.engines.parts.options import Limits, number
from speechmlx.errors import BadRequest, UnknownVoice, Unsupported
from speechmlx.names import listed, spelt
from speechmlx.types import NamedVoice, ReferenceVoice, Synthesis

SLOWEST, FASTEST = 0.25, 4.0
OPTIONS: Limits = {
    "sdp_ratio": (0, 1, False),
    "noise_scale": (0, 2, False),
    "noise_scale_w": (0, 2, False),
    "seed": (0, 2**32 - 1, True),
}
DEFAULTS = {"sdp_ratio": 0.2, "noise_scale": 0.6, "noise_scale_w": 0.8, "seed": 0}


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
    drawn, noise, duration_noise, seed = (number(request.options, OPTIONS, *one) for one in DEFAULTS.items())
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
