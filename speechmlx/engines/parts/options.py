"""Options of a request that are numbers: their limits, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speechmlx.errors import BadRequest

Limits = Mapping[str, tuple[float, float, bool]]
"""The least and the greatest number of each option, and whether it is a whole one."""


def number(options: Mapping[str, Any], limits: Limits, name: str, default: float) -> float:
    """An option, or `default` without one. Raises BadRequest, which tells the limits."""
    value = options.get(name, default)
    least, most, is_whole = limits[name]
    right = isinstance(value, int) or (isinstance(value, float) and (not is_whole or value.is_integer()))
    if isinstance(value, bool) or not right or not least <= value <= most:
        wanted = f"whole number from {least} to {most}" if is_whole else f"number from {least:g} to {most:g}"
        raise BadRequest(f"{name} must be a {wanted}, not {value!r:.40}")
    return int(value) if is_whole else float(value)
