"""Recordings in chat requests: {"input_audio": {"data": base64, "format": "wav"}}, at the top or in a message.

A file with a header is read by it, whatever `format` is. `format` counts for headerless sound.
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
from speechmlx.protocols.http.json_bounds import LongText


@dataclass(frozen=True)
class RawFormat:
    """The format of headerless mono sound: WAV's number of the encoding, bits per sample, and rate in Hz."""

    encoding: int
    bits: int
    rate: int

    def header(self, size: int) -> bytes:
        """A WAV header for `size` bytes of this format."""
        align = self.bits // 8
        layout = struct.pack("<IHHIIHH", 16, self.encoding, 1, self.rate, self.rate * align, align, self.bits)
        return struct.pack("<4sI8s", b"RIFF", 36 + size, b"WAVEfmt ") + layout + struct.pack("<4sI", b"data", size)


PCM16, PCM24 = RawFormat(1, 16, 24000), RawFormat(1, 24, 24000)
ULAW, ALAW = RawFormat(7, 8, 8000), RawFormat(6, 8, 8000)
FORMATS = {
    "pcm": PCM16,
    "pcm16": PCM16,
    "pcm24": PCM24,
    "g711_ulaw": ULAW,
    "pcmu": ULAW,
    "g711_alaw": ALAW,
    "pcma": ALAW,
}
"""Formats without a header by name; clients may write `audio/` before it."""
RATES = (1000, 768_000)


def extract_recording(fields: Mapping[str, Any]) -> tuple[dict[str, Any], RawFormat | None]:
    """`fields` with the recording as `file`, in base64, and its format where `format` names a headerless one.

    Raises BadRequest.
    """
    parts = [fields["input_audio"]] if "input_audio" in fields else _in_messages(fields.get("messages"))
    if not parts:
        return dict(fields), None
    if len(parts) > 1:
        raise BadRequest(f"'messages' hold {len(parts)} recordings; send one in a request")
    part = {"data": parts[0]} if isinstance(parts[0], str | LongText) else parts[0]
    if not isinstance(part, dict) or not isinstance(part.get("data"), str | LongText):
        raise BadRequest("'input_audio' must be an object of 'data', the recording in base64, and its 'format'")
    rest = {name: value for name, value in fields.items() if name not in ("input_audio", "messages")}
    raw = FORMATS.get((options.text(part, "format") or "").strip().lower().removeprefix("audio/"))
    if raw is not None and part.get("sample_rate") is not None:
        raw = RawFormat(raw.encoding, raw.bits, options.integer(part, "sample_rate", raw.rate, *RATES))
    return {**rest, "file": part["data"]}, raw


def _in_messages(messages: Any) -> list[Any]:
    listed = messages if isinstance(messages, list) else []
    contents = [message.get("content") for message in listed if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]
    return [part.get("input_audio") for part in parts if part.get("type") == "input_audio"]


def with_header(file: BinaryIO, raw: RawFormat, to: BinaryIO) -> BinaryIO:
    """`file` if it has a header, else `to`, which gets a WAV header and the contents of `file`."""
    header, size = locate(file, headerless=True), file.seek(0, 2)
    file.seek(0)
    if header is not None:
        return file
    to.write(raw.header(size))
    shutil.copyfileobj(file, to)
    to.seek(0)
    return to
