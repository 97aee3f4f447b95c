"""Recordings as text: base64, which may have line breaks, or a data: URL; and sentences for other text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_to_bytes

from speechmlx.errors import BadRequest

SLICE = 1 << 18
"""Characters decoded at a time, a multiple of 4. Other threads run in between."""
LONGEST = 1024
"""Characters of the longest name or address that is recognised."""
ADVICE = "send the recording itself, as a file of a multipart form (curl's -F 'file=@name') or as base64"
NAME = re.compile(r"[@~][^@]+|\.{1,2}[\\/].*|[A-Za-z]:[\\/].*|\\\\.*|file:.*|(/[\w.-]+)+|[^:{}<>]*\.[A-Za-z0-9]{1,5}")
"""A file's name or path."""
ADDRESS = re.compile(r"(https?|ftp|blob|s3)://.*|blob:.*", re.IGNORECASE)


def decode_base64(what: str, text: str) -> Iterator[bytes]:
    """Decode base64 or a data: URL, in pieces. `what` names it in errors. Raises BadRequest for other text."""
    text = text.strip()
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma:
            raise BadRequest(f"{what} is a data: URL that has no comma, so no data")
        if not head.lower().rstrip().endswith("base64"):
            yield unquote_to_bytes(text)
            return
        text = unquote(text) if "%" in text else text
    try:
        compact = text.encode("ascii").translate(None, b" \t\r\n")
        for start in range(0, len(compact), SLICE):
            yield binascii.a2b_base64(compact[start : start + SLICE], strict_mode=True)
    except ValueError as error:
        if mistaken := mistake(text):
            raise BadRequest(f"{what} is the text {text!r:.80}, {mistaken}") from error
        raise BadRequest(f"{what} is not base64: {error}; {ADVICE}") from error


def mistake(text: str) -> str | None:
    """The sentence for text that is the name or address of a recording; None for other text."""
    if len(text) > LONGEST or not text.isprintable():
        return None
    if ADDRESS.fullmatch(text):
        return f"which looks like an address; {ADVICE}"
    if NAME.fullmatch(text):
        path = text.lstrip("@")
        return (
            "which looks like a file's name and not its contents; send the file itself, with curl as "
            f"-F 'file=@{path:.80}' or --data-binary '@{path:.80}'"
        )
    return None
