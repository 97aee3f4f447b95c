"""Options of a request: text from a query or form, typed values from JSON, read with one sentence per mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from speechmlx import languages
from speechmlx.errors import BadRequest
from speechmlx.protocols.http.lenient_json import read_json

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


def value(options: Mapping[str, Any], name: str) -> Any:
    """What is given; None for null and for blanks, which forms send for a field that was left empty."""
    found = options.get(name)
    return None if isinstance(found, str) and not found.strip() else found


def text(options: Mapping[str, Any], name: str) -> str | None:
    """A string; absent and blank are None. Raises BadRequest for any other type."""
    found = value(options, name)
    if found is not None and not isinstance(found, str):
        raise BadRequest(f"{name!r} must be a string, not {found!r:.80}")
    return found


def flag(options: Mapping[str, Any], name: str) -> bool:
    """A boolean; absent is False."""
    found = value(options, name)
    word = "false" if found is None else str(found).strip().lower()
    if word not in TRUE + FALSE:
        raise BadRequest(f"{name!r} must be true or false, not {found!r:.80}")
    return word in TRUE


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    given = value(options, name)
    try:
        found = math.nan if isinstance(given, bool) else float(default if given is None else given)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not low <= found <= high:
        raise BadRequest(f"{name!r} must be a number from {low:g} to {high:g}, not {given!r:.80}")
    return found


def integer(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    found = number(options, name, default, low, high)
    if found != int(found):
        raise BadRequest(f"{name!r} must be a whole number, not {found:g}")
    return int(found)


def choice(options: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, in any case; absent is the first."""
    found = value(options, name)
    word = allowed[0] if found is None else str(found).strip().lower()
    if word not in allowed:
        raise BadRequest(f"{name!r} must be one of {', '.join(allowed)}, not {found!r:.80}")
    return word


def several(options: Mapping[str, Any], name: str) -> list[Any]:
    """Every value of a list: one of JSON, the text of one, text with commas, or several texts of these kinds."""
    found = value(options, name)
    given = found if isinstance(found, list) else [] if found is None else [found]
    return [one for entry in given for one in (_split(name, entry) if isinstance(entry, str) else [entry])]


def _split(name: str, text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return list(read_json(text))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name!r} is not valid JSON: {error}") from error


def language(options: Mapping[str, Any]) -> str | None:
    """The code of the language to hear, as of "en", "en-US", "eng" or "English"; None lets the model find out."""
    return languages.code(text(options, "language"))


def dialect(options: Mapping[str, Any]) -> str | None:
    """The language to speak as a BCP 47 tag, its region kept: "en-gb"; None is that of the voice."""
    wanted = languages.asked(text(options, "language"))
    return None if wanted is None else languages.tag(wanted)
