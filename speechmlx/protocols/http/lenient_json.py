"""JSON as clients write it, and text that is whole."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from speechmlx.errors import BadRequest

HANDWRITTEN = 64 * 1024
"""Bytes beyond which nobody writes JSON by hand."""
SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(data: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError and RecursionError for what is none, BadRequest for broken text.

    A short one may be a Python literal too: the examples people copy have trailing commas, comments and True.
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
    """An object of JSON's types, written in Python; None for anything else."""
    try:
        text = data if isinstance(data, str) else data.decode()
        if not text.lstrip().startswith("{"):
            return None
        return json.loads(json.dumps(ast.literal_eval(text.strip()), allow_nan=False))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def check_text(value: Any) -> None:
    """Raises BadRequest where a string of `value` holds half a character, which could be stored and never be sent."""
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
