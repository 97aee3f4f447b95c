"""Recordings in chat requests: {"input_audio": {"data": base64, "format": "wav"}}, at the top or in a message.

A file with a header is what it is, whatever `format` says; headerless sound is what `format` says.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from speechmlx.audio.sniff import locate
from speechmlx.errors import BadRequest
from speechmlx.protocols.http import options


@dataclass(frozen=True)
class Raw:
    """Headerless mono sound: WAV's number of the encoding, bits of a sample, samples a second."""

    encoding: int
    bits: int
    rate: int

    def header(self, size: int) -> bytes:
        """A WAV header for `size` bytes of it."""
        align = self.bits // 8
        layout = struct.pack("<IHHIIHH", 16, self.encoding, 1, self.rate, self.rate * align, align, self.bits)
        return struct.pack("<4sI8s", b"RIFF", 36 + size, b"WAVEfmt ") + layout + struct.pack("<4sI", b"data", size)


PCM16, PCM24, ULAW, ALAW = Raw(1, 16, 24000), Raw(1, 24, 24000), Raw(7, 8, 8000), Raw(6, 8, 8000)
FORMATS = {
    "pcm": PCM16,
    "pcm16": PCM16,
    "pcm24": PCM24,
    "g711_ulaw": ULAW,
    "pcmu": ULAW,
    "g711_alaw": ALAW,
    "pcma": ALAW,
}
"""Names of what has no header, with or without `audio/` before them."""
RATES = (1000, 768_000)


def taken(given: Mapping[str, Any]) -> tuple[dict[str, Any], Raw | None]:
    """`given` with the recording as `file`, in base64, and what it is if it has no header. Raises BadRequest."""
    parts = [given["input_audio"]] if "input_audio" in given else _in_messages(given.get("messages"))
    if not parts:
        return dict(given), None
    if len(parts) > 1:
        raise BadRequest(f"'messages' hold {len(parts)} recordings; send one in a request")
    part = {"data": parts[0]} if isinstance(parts[0], str) else parts[0]
    if not isinstance(part, dict) or not isinstance(part.get("data"), str):
        raise BadRequest("'input_audio' must be an object of 'data', the recording in base64, and its 'format'")
    rest = {name: value for name, value in given.items() if name not in ("input_audio", "messages")}
    raw = FORMATS.get((options.text(part, "format") or "").strip().lower().removeprefix("audio/"))
    if raw is not None and part.get("sample_rate") is not None:
        raw = Raw(raw.encoding, raw.bits, options.integer(part, "sample_rate", raw.rate, *RATES))
    return {**rest, "file": part["data"]}, raw


def _in_messages(messages: Any) -> list[Any]:
    given = messages if isinstance(messages, list) else []
    contents = [message.get("content") for message in given if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]
    return [part.get("input_audio") for part in parts if part.get("type") == "input_audio"]


def with_header(file: BinaryIO, raw: Raw, to: BinaryIO) -> BinaryIO:
    """`file` if it has a header of its own, else `to`, filled with a WAV of it."""
    found, size = locate(file, headerless=True), file.seek(0, 2)
    file.seek(0)
    if found is not None:
        return file
    to.write(raw.header(size))
    shutil.copyfileobj(file, to)
    to.seek(0)
    return to
