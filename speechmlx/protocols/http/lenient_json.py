"""JSON as clients write it, also by hand; and a check of text for broken characters."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.json_bounds import Outline, check_bounds

HANDWRITTEN = 64 * 1024
"""Bytes of the longest text that is read as a Python literal."""
SMALL = 1024
"""Bytes of a text that cannot be over the bounds of JSON by much."""
SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(data: bytes | str) -> Any:
    """Parse JSON. A short text may be a Python literal too: copied examples have trailing commas, comments and True.

    Raises ValueError and RecursionError for other text, BadRequest for broken characters and for JSON over its bounds.
    """
    if len(data) > SMALL:
        check_bounds(data)
    return _parsed(data)


def read_document(data: bytes, recordings: Collection[str]) -> Any:
    """Parse JSON as `read_json` does, in memory that is bounded by json_bounds.

    A string of over LONG bytes under one of the names `recordings` becomes a LongText. Raises what `read_json` does,
    and TooLarge.
    """
    outline = Outline(data)
    return outline.restore(_parsed(outline.kept), recordings)


def _parsed(data: bytes | str) -> Any:
    try:
        # Not strict: `base64` breaks its lines on Linux, and a shell puts them into the string as they are.
        value = json.loads(data, strict=False)
    except ValueError:
        if len(data) > HANDWRITTEN:
            raise
        value = _literal(data)
        if value is None:
            raise
    check_text(value)
    return value


def _literal(data: bytes | str) -> Any:
    """A Python dict of JSON's types; None for any other text."""
    try:
        text = data if isinstance(data, str) else data.decode()
        if not text.lstrip().startswith("{"):
            return None
        return json.loads(json.dumps(ast.literal_eval(text.strip()), allow_nan=False))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def check_text(value: Any) -> None:
    """Raises BadRequest where a string in `value` holds half a surrogate pair, which UTF-8 cannot encode."""
    if isinstance(value, str):
        if not value.isascii() and SURROGATE.search(value):
            raise BadRequest("the request holds half of a character (a surrogate, as \\ud800, alone), which is no text")
    elif isinstance(value, dict):
        for name, entry in value.items():
            check_text(name)
            check_text(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            check_text(entry)
