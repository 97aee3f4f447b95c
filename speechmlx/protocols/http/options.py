"""Readers of a request's options: text from a query or form, typed values from JSON; one sentence per mistake."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from speechmlx import languages
from speechmlx.errors import BadRequest
from speechmlx.protocols.http.lenient_json import read_json

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")

Word = TypeVar("Word", bound=str)


def value(options: Mapping[str, Any], name: str) -> Any:
    """The value of an option. None where it is absent, null or blank: forms send blanks for empty fields."""
    raw = options.get(name)
    return None if isinstance(raw, str) and not raw.strip() else raw


def text(options: Mapping[str, Any], name: str) -> str | None:
    """A string; None where it is absent or blank. Raises BadRequest for any other type."""
    raw = value(options, name)
    if raw is not None and not isinstance(raw, str):
        raise BadRequest(f"{name!r} must be a string, not {raw!r:.80}")
    return raw


def flag(options: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A boolean; `default` where it is absent. Raises BadRequest."""
    raw = value(options, name)
    word = str(default if raw is None else raw).strip().lower()
    if word not in TRUE + FALSE:
        raise BadRequest(f"{name!r} must be true or false, not {raw!r:.80}")
    return word in TRUE


def number(options: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`; `default` where it is absent. Raises BadRequest."""
    raw = value(options, name)
    try:
        result = math.nan if isinstance(raw, bool) else float(default if raw is None else raw)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not low <= result <= high:
        raise BadRequest(f"{name!r} must be a number from {low:g} to {high:g}, not {raw!r:.80}")
    return result


def integer(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`; `default` where it is absent. Raises BadRequest."""
    result = number(options, name, default, low, high)
    if result != int(result):
        raise BadRequest(f"{name!r} must be a whole number, not {result:g}")
    return int(result)


def choice(options: Mapping[str, Any], name: str, allowed: tuple[Word, ...]) -> Word:
    """One of the words `allowed`, in any case; the first where it is absent. Raises BadRequest."""
    raw = value(options, name)
    word = allowed[0] if raw is None else str(raw).strip().lower()
    for known in allowed:
        if word == known:
            return known
    raise BadRequest(f"{name!r} must be one of {', '.join(allowed)}, not {raw!r:.80}")


def several(options: Mapping[str, Any], name: str) -> list[Any]:
    """The values of a list. A client sends a JSON list, the text of one, text with commas, or several such texts.

    Raises BadRequest for text that begins like a JSON list and is none.
    """
    raw = value(options, name)
    entries = raw if isinstance(raw, list) else [] if raw is None else [raw]
    return [item for entry in entries for item in (_split(name, entry) if isinstance(entry, str) else [entry])]


def _split(name: str, text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return list(read_json(text))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name!r} is not valid JSON: {error}") from error


def language(options: Mapping[str, Any]) -> str | None:
    """The code of the language to recognise, from "en", "en-US", "eng" or "English". None: the model detects it."""
    return languages.code(text(options, "language"))


def dialect(options: Mapping[str, Any]) -> str | None:
    """The BCP 47 tag of the language to speak, with its region: "en-gb". None: the voice's language."""
    name = languages.asked(text(options, "language"))
    return None if name is None else languages.tag(name)
