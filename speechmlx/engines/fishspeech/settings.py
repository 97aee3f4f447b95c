"""The options of FishSpeech in a request: how its codes are drawn, and how much is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx.errors import BadRequest, Unsupported

NUMBERS: Mapping[str, tuple[float, float, bool]] = {
    "temperature": (0, 2, False),
    "top_p": (0.01, 1, False),
    "repetition_penalty": (0.9, 2, False),
    "max_new_tokens": (1, 4096, True),
    "chunk_length": (20, 600, True),
    "seed": (0, 2**32 - 1, True),
}
"""The least and the greatest number of each, and whether it is a whole one."""
OPTIONS = tuple(NUMBERS)


@dataclass(frozen=True)
class FishSettings:
    """How one request is spoken, by default as Xinference does it."""

    temperature: float = 0.7
    """0: the likeliest code."""
    top_p: float = 0.7
    penalty: float = 1.2
    """On the codes of the last frames."""
    frames: int = 1024
    """Of a piece of text, at most: 46 ms each."""
    bytes: int = 200
    """UTF-8 bytes of a piece of text, at most."""
    seed: int = 0
    """The same text sounds the same each time, in the same voice."""


DEFAULTS = FishSettings()


def read_settings(options: Mapping[str, Any]) -> FishSettings:
    """Raises Unsupported for an option that there is not, BadRequest for a value out of range."""
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise Unsupported(f"FishSpeech does not know {', '.join(unknown)}; its options are {', '.join(OPTIONS)}")
    return FishSettings(
        temperature=_number(options, "temperature", DEFAULTS.temperature),
        top_p=_number(options, "top_p", DEFAULTS.top_p),
        penalty=_number(options, "repetition_penalty", DEFAULTS.penalty),
        frames=int(_number(options, "max_new_tokens", DEFAULTS.frames)),
        bytes=int(_number(options, "chunk_length", DEFAULTS.bytes)),
        seed=int(_number(options, "seed", DEFAULTS.seed)),
    )


def _number(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name, default)
    least, most, is_whole = NUMBERS[name]
    right = isinstance(value, int) or (isinstance(value, float) and (not is_whole or value.is_integer()))
    if isinstance(value, bool) or not right or not least <= value <= most:
        kind = "whole number" if is_whole else "number"
        raise BadRequest(f"{name} must be a {kind} from {least:g} to {most:g}, not {value!r:.40}")
    return float(value)
