"""Options of a request: text from a query or form, typed values from JSON, read with one sentence per mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.languages import CODES

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off", "")


def text(options: Mapping[str, Any], name: str) -> str | None:
    """A string; absent and empty are None. Raises BadRequest for any other type."""
    value = options.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{name!r} must be a string, not {value!r:.80}")
    return value or None


def flag(options: Mapping[str, Any], name: str) -> bool:
    """A boolean; absent is False."""
    value = options.get(name, False)
    word = str(value).lower()
    if word not in TRUE + FALSE:
        raise BadRequest(f"{name!r} must be true or false, not {value!r:.80}")
    return word in TRUE


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    value = options.get(name, default)
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not low <= found <= high:
        raise BadRequest(f"{name!r} must be a number from {low:g} to {high:g}, not {value!r:.80}")
    return found


def integer(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    found = number(options, name, default, low, high)
    if found != int(found):
        raise BadRequest(f"{name!r} must be a whole number, not {found:g}")
    return int(found)


def choice(options: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, in any case; absent is the first."""
    value = str(options.get(name, allowed[0]))
    if value.lower() not in allowed:
        raise BadRequest(f"{name!r} must be one of {', '.join(allowed)}, not {value!r:.80}")
    return value.lower()


def language(options: Mapping[str, Any]) -> str | None:
    """The ISO 639-1 code of "en", "en-US" or "English"; None (also for "auto") lets the model find out."""
    value = text(options, "language")
    if value is None or value.strip().lower() == "auto":
        return None
    word = value.strip().lower()
    return CODES.get(word) or word.replace("_", "-").split("-")[0]
