"""Bounds on JSON before it is parsed, in linear time; and long strings, which are left out of the parse.

A parser makes an object of some 60 bytes of every two or three bytes, and holds the interpreter all the while. So what
is no recording has limits of its own, far below those of a recording in base64, and a recording is never parsed.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from speechmlx.errors import BadRequest, TooLarge

MAX_DEPTH = 100
"""Lists and objects inside each other."""
MAX_MARKS = 250_000
"""Brackets, commas, strings and escaped quotes together. A key and its value have two to four."""
MAX_TEXT = 4 * 1024 * 1024
"""Bytes of everything but recordings."""
LONG = 64 * 1024
"""Bytes of a string that is left out of the parse."""
SLICE = 1 << 18
"""Bytes that are looked at at a time. Other threads run in between."""
MARK = re.compile(rb'["\[\]{},]')


@dataclass(frozen=True, eq=False)
class LongText:
    """A long string of a document, from byte `start` to `end`, with JSON's escapes. Iterating gives its text in pieces.

    What is most of the document is no copy: to make one holds the interpreter, and everybody waits.
    """

    document: bytes
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    @classmethod
    def within(cls, document: bytes, start: int, end: int) -> LongText:
        """It keeps the document where it is most of it, and a copy of its own bytes otherwise."""
        if 2 * (end - start) > len(document):
            return cls(document, start, end)
        return cls(document[start:end], 0, end - start)

    @property
    def raw(self) -> bytes:
        """A copy of the bytes."""
        return self.document[self.start : self.end]

    def __iter__(self) -> Iterator[str]:
        """The text in pieces of up to SLICE bytes. Raises BadRequest for what no JSON string may hold."""
        place = self.start
        while place < self.end:
            end = min(place + SLICE, self.end)
            if end < self.end and (escape := self.document.rfind(b"\\", end - 5, end)) > place:
                end = escape  # an escape has up to six bytes: leave it to the next piece
            yield _unescaped(self.document[place:end])
            place = end

    def __repr__(self) -> str:
        return f"a text of {len(self)} bytes"


def _unescaped(raw: bytes) -> str:
    try:
        if b"\\" not in raw and raw.isascii():
            return raw.decode("ascii")
        text: str = json.loads(b'"' + raw + b'"', strict=False)
    except ValueError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    return text


def check_bounds(data: bytes | str) -> None:
    """Raises BadRequest for JSON that is nested too deeply or has too many values."""
    for _ in _strings(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data):
        pass


class Outline:
    """JSON without its long strings: `kept` has a placeholder for each, and is of at most MAX_TEXT bytes.

    Raises BadRequest for JSON over a limit, and ValueError where a long string has no end.
    """

    def __init__(self, data: bytes) -> None:
        self._mark = secrets.token_hex(8)  # nobody can send it
        self._texts: dict[str, LongText] = {}
        self._left = MAX_TEXT
        pieces: list[bytes] = []
        place = size = 0
        for start, end in _strings(data):
            if end - start > LONG:
                pieces.append(data[place:start])
                name = f"{self._mark}{len(self._texts)}"
                self._texts[name] = LongText.within(data, start, end)
                pieces.append(name.encode())
                size += start - place
                place = end
            _check_size(size + end - place)
        _check_size(size + len(data) - place)
        self.kept = b"".join([*pieces, data[place:]])

    def restore(self, value: Any, recordings: Collection[str], name: str = "") -> Any:
        """`value`, the parsed `kept`, with its long strings: a LongText under the names `recordings`, else a str.

        `name` is the key of `value`. Raises TooLarge where the others have more than MAX_TEXT bytes, and BadRequest.
        """
        if not self._texts:
            return value
        if isinstance(value, dict):
            if any(key in self._texts for key in value):
                raise BadRequest(f"the JSON has a key of over {LONG} bytes, which is the limit")
            return {key: self.restore(entry, recordings, key) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.restore(entry, recordings, name) for entry in value]
        if not isinstance(value, str) or value not in self._texts:
            return value
        found = self._texts[value]
        if name in recordings:
            return found
        self._left -= len(found)
        if self._left < 0:
            raise _too_much()
        return _unescaped(found.raw)


def _too_much() -> TooLarge:
    return TooLarge(f"the JSON holds more than {MAX_TEXT // 2**20} MB that are no recording, which is the limit")


def _check_size(size: int) -> None:
    if size > MAX_TEXT:
        raise _too_much()


def _strings(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each string, without its quotes. Raises BadRequest where a limit is passed."""
    place = depth = marks = 0
    while place < len(data):
        found = MARK.search(data, place, place + SLICE)
        if found is None:
            place += SLICE
            continue
        place = found.end()
        marks += 1
        match found[0]:
            case b'"':
                end, escaped = _end(data, place, MAX_MARKS - marks)
                if end < 0 and len(data) - place > LONG:
                    raise ValueError(f"a string begins at byte {place - 1} and does not end")
                yield place, len(data) if end < 0 else end
                marks += escaped
                place = len(data) if end < 0 else end + 1
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
        if depth > MAX_DEPTH:
            raise BadRequest(
                f"the JSON has more than {MAX_DEPTH} lists and objects inside each other, which is the limit"
            )
        if marks > MAX_MARKS:
            raise BadRequest(
                f"the JSON has more than {MAX_MARKS} brackets, commas and strings, which is the limit; a recording is "
                "one string in base64"
            )


def _end(data: bytes, start: int, most: int) -> tuple[int, int]:
    """The quote that ends the string at `start`, -1 without one, and the escaped quotes before it, up to `most` + 1."""
    place, escaped = start, 0
    while place < len(data):
        quote = data.find(b'"', place, place + SLICE)
        if quote < 0:
            place += SLICE
        elif _backslashes(data, start, quote) % 2 == 0:
            return quote, escaped
        else:
            escaped += 1
            place = start = quote + 1
            if escaped > most:
                return quote, escaped
    return -1, escaped


def _backslashes(data: bytes, start: int, end: int) -> int:
    """The backslashes right before `end`, not before `start`."""
    if data[end - 1 : end] != b"\\" or end == start:
        return 0
    before = data[start:end]
    return len(before) - len(before.rstrip(b"\\"))
