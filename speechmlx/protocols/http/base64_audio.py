"""Recordings as text: base64, which may have line breaks, or a data: URL; and sentences for other text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import unquote, unquote_to_bytes

from speechmlx.errors import BadRequest

SLICE = 1 << 18
"""Characters decoded at a time. Other threads run in between."""
LONGEST = 1024
"""Characters of the longest name or address that is recognised."""
ADVICE = "send the recording itself, as a file of a multipart form (curl's -F 'file=@name') or as base64"
NAME = re.compile(r"[@~][^@]+|\.{1,2}[\\/].*|[A-Za-z]:[\\/].*|\\\\.*|file:.*|(/[\w.-]+)+|[^:{}<>]*\.[A-Za-z0-9]{1,5}")
"""A file's name or path."""
ADDRESS = re.compile(r"(https?|ftp|blob|s3)://.*|blob:.*", re.IGNORECASE)


def decode_base64(what: str, text: str | Iterable[str]) -> Iterator[bytes]:
    """Decode base64 or a data: URL, in pieces. `what` names it in errors. Raises BadRequest for other text.

    Blanks and line breaks are skipped. `text` may come in pieces, of any length.
    """
    pieces = iter(_slices(text.strip()) if isinstance(text, str) else text)
    start = ""
    while len(start) <= LONGEST and (piece := next(pieces, None)) is not None:
        start = (start + piece).lstrip()
    if start[:5].lower() == "data:":
        head, comma, start = start.partition(",")
        if not comma:
            raise BadRequest(f"{what} is a data: URL that has no comma, so no data")
        pieces = _whole_escapes(chain([start], pieces))
        if not head.lower().rstrip().endswith("base64"):
            yield from map(unquote_to_bytes, pieces)
            return
        pieces = map(unquote, pieces)
    else:
        pieces = chain([start], pieces)
    try:
        yield from _decoded(pieces)
    except ValueError as error:
        if mistaken := mistake(start.rstrip()):
            raise BadRequest(f"{what} is the text {start.rstrip()!r:.80}, {mistaken}") from error
        raise BadRequest(f"{what} is not base64: {error}; {ADVICE}") from error


def _slices(text: str) -> Iterator[str]:
    return (text[start : start + SLICE] for start in range(0, len(text), SLICE))


def _whole_escapes(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that cut no %XX apart."""
    rest = ""
    for piece in pieces:
        piece = rest + piece
        cut = piece.rfind("%", -2)
        rest = piece[cut:] if cut >= 0 else ""
        yield piece[:cut] if cut >= 0 else piece
    yield rest


def _decoded(pieces: Iterable[str]) -> Iterator[bytes]:
    """Decode base64. Raises ValueError."""
    rest = b""
    for piece in pieces:
        compact = rest + piece.encode("ascii").translate(None, b" \t\r\n")
        whole = len(compact) // 4 * 4
        rest = compact[whole:]
        yield binascii.a2b_base64(compact[:whole], strict_mode=True)
    yield binascii.a2b_base64(rest, strict_mode=True)


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
