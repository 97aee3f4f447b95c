"""JSON as clients write it, also by hand; and a check of text for broken characters."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from speechmlx.errors import BadRequest

HANDWRITTEN = 64 * 1024
"""Bytes of the longest text that is read as a Python literal."""
SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(data: bytes | str) -> Any:
    """Parse JSON. A short text may be a Python literal too: copied examples have trailing commas, comments and True.

    Raises ValueError and RecursionError for other text, BadRequest for broken characters.
    """
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
