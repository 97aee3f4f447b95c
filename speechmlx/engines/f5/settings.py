"""The options of F5-TTS in a request: how a spectrogram is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speechmlx.engines.f5.sampling import METHODS, Sampling
from speechmlx.engines.parts.options import Limits, number
from speechmlx.errors import BadRequest, Unsupported

NUMBERS: Limits = {
    "steps": (1, 100, True),
    "cfg_strength": (0, 10, False),
    "sway_sampling_coef": (-1, 1, False),
    "seed": (0, 2**32 - 1, True),
}
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
        steps=int(number(options, NUMBERS, "steps", steps)),
        guidance=number(options, NUMBERS, "cfg_strength", GUIDANCE),
        sway=number(options, NUMBERS, "sway_sampling_coef", SWAY),
        seed=int(number(options, NUMBERS, "seed", SEED)),
    )
