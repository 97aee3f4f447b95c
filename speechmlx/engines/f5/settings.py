"""The options of F5-TTS in a request: how a spectrogram is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speechmlx.engines.f5.sampling import METHODS, Sampling
from speechmlx.errors import BadRequest, Unsupported

NUMBERS: Mapping[str, tuple[float, float, bool]] = {
    "steps": (1, 100, True),
    "cfg_strength": (0, 10, False),
    "sway_sampling_coef": (-1, 1, False),
    "seed": (0, 2**32 - 1, True),
}
"""The least and the greatest number of each, and whether it is a whole one."""
OPTIONS = (*NUMBERS, "method")
GUIDANCE, SWAY, SEED = 2.0, -1.0, 0


def read_sampling(options: Mapping[str, Any], method: str, steps: int) -> Sampling:
    """What `options` ask for; `method` and `steps` are the model's own. Raises BadRequest and Unsupported."""
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise Unsupported(f"F5-TTS does not know {', '.join(unknown)}; its options are {', '.join(OPTIONS)}")
    chosen = options.get("method", method)
    if chosen not in METHODS:
        raise BadRequest(f"method must be {', '.join(METHODS)}, not {chosen!r:.40}")
    return Sampling(
        method=chosen,
        steps=int(_number(options, "steps", steps)),
        guidance=_number(options, "cfg_strength", GUIDANCE),
        sway=_number(options, "sway_sampling_coef", SWAY),
        seed=int(_number(options, "seed", SEED)),
    )


def _number(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name, default)
    least, most, is_whole = NUMBERS[name]
    right = isinstance(value, int) or (isinstance(value, float) and (not is_whole or value.is_integer()))
    if isinstance(value, bool) or not right or not least <= value <= most:
        kind = "whole number" if is_whole else "number"
        raise BadRequest(f"{name} must be a {kind} from {least:g} to {most:g}, not {value!r:.40}")
    return float(value)
