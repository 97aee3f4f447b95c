"""Multipart forms as clients write them: a part without a file name may be a file too."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote

from python_multipart.multipart import DEFAULT_MAX_HEADER_COUNT, DEFAULT_MAX_HEADER_SIZE, parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.spool import room

AUDIO_FIELDS = ("file", "audio", "audio_file", "audio_base64")
"""Fields and options that hold the recording. The first of those that were sent counts."""
TEXT_BYTES = 4 * 1024 * 1024
"""Largest text field, and all of them together, in bytes."""
MAX_FILES = 64
"""Files of a form. Each may have 1 MB in memory."""
HEAD = 4096
"""Bytes that are searched for control characters, to distinguish text from a recording."""
EXTENDED = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]*)'[^']*'([^;\"\s]+)", re.IGNORECASE)
"""A file name in the form of RFC 5987."""
CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)
SAMPLE = "file-1.xn--"
CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LIMITS = {
    "Maximum header size exceeded": (
        f"a line before a part's contents is over the limit of {DEFAULT_MAX_HEADER_SIZE} bytes; is the file's name "
        "that long?"
    ),
    "Maximum header count exceeded": f"a part has more than {DEFAULT_MAX_HEADER_COUNT} headers, which is the limit",
    "Missing boundary in multipart.": "Missing boundary in its type; let your HTTP library write the Content-Type",
}
"""Sentences for the parser's messages that are unclear."""


@dataclass(frozen=True)
class Upload:
    """A file of a form, of `size` bytes. `type` is the client's, or that of the name's extension."""

    file: BinaryIO
    name: str = ""
    type: str = ""
    size: int = 0

    @property
    def order(self) -> int:
        """A number by the type. The file with the lowest is the likeliest recording."""
        kind = self.type.partition("/")[0]
        return 0 if kind == "audio" else 1 if kind == "video" or self.type in ("", "application/octet-stream") else 2


async def read_form(headers: Headers, chunks: AsyncGenerator[bytes, None], stack: AsyncExitStack) -> FormData:
    """Parse a multipart form. `stack` closes its files. Raises BadRequest and NoRoom."""
    parser = _Parser(_readable(headers), chunks, max_files=MAX_FILES, max_part_size=TEXT_BYTES)
    stack.push_async_callback(_close, parser._files_to_close_on_error)  # the parser does after errors of its own alone
    try:
        with room():
            return await parser.parse()
    except MultiPartException as error:
        why = str(error.__cause__ or error.message)
        raise BadRequest(f"the multipart body cannot be read: {LIMITS.get(why, why)}") from error


def form_parts(form: FormData) -> list[tuple[str, str | Upload]]:
    """(name, contents) of every part that is not empty, in order. Blocks while it reads files."""
    parts = ((name, _upload(part) if isinstance(part, UploadFile) else part) for name, part in form.multi_items())
    return [(name, part) for name, part in parts if (part.strip() if isinstance(part, str) else part.name or part.size)]


def audio_field(name: str) -> int | None:
    """The index in AUDIO_FIELDS of a field's name, in any case and without its brackets; None for other fields."""
    base = name.lower().partition("[")[0]
    return AUDIO_FIELDS.index(base) if base in AUDIO_FIELDS else None


def is_text(head: bytes) -> bool:
    """Whether data that begins with `head` can be text: it has no control characters."""
    return CONTROLS.search(head) is None


def _readable(headers: Headers) -> Headers:
    """The form's content type, without a charset that is unknown or not a superset of ASCII; utf-8 counts then."""
    kind = headers["content-type"]
    charset = parse_options_header(kind)[1].get(b"charset", b"utf-8").decode("latin-1")
    try:
        known = SAMPLE.encode().decode(charset) == SAMPLE
    except (ValueError, LookupError):
        known = False
    return Headers({"content-type": kind if known else CHARSET.sub("", kind)})


class _Parser(MultiPartParser):
    """Treats a part as a file also where only its type, its field or an RFC 5987 name shows that it is one."""

    _text = 0
    """Bytes of the text fields."""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._text += end - start
            if self._text > TEXT_BYTES:
                raise MultiPartException(f"its text fields are over the limit of {TEXT_BYTES // 2**20} MB")
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        part = self._current_part
        disposition = part.content_disposition or b""
        parameters = parse_options_header(disposition)[1]
        extended = EXTENDED.search(disposition)
        kind = dict(part.item_headers).get(b"content-type", b"").lower()
        typed = kind.startswith((b"audio/", b"video/", b"application/octet-stream"))
        known = audio_field(parameters.get(b"name", b"").decode("latin-1")) is not None
        if b"filename" not in parameters and (extended or typed or known):
            name = _unquoted(*extended.groups()) if extended else ""
            part.content_disposition = disposition + b'; filename="' + name.encode() + b'"'
        super().on_headers_finished()


def _unquoted(charset: bytes, name: bytes) -> str:
    try:
        decoded = unquote(name.decode("latin-1"), charset.decode("latin-1") or "utf-8", "replace")
    except (LookupError, ValueError):  # no encoding of text, or one that fails whatever it is told
        decoded = unquote(name.decode("latin-1"))
    return re.sub(r'["\\\x00-\x1f]', "_", decoded)


def _upload(part: UploadFile) -> Upload | str:
    """A part as an Upload; as text where it has no file name, or is base64, and looks like text."""
    name, kind = part.filename or "", (part.content_type or "").partition(";")[0].strip().lower()
    if kind in ("", "application/octet-stream"):
        kind = mimetypes.guess_type(name)[0] or kind
    head = part.file.read(HEAD)
    part.file.seek(0)
    encoded = part.headers.get("content-transfer-encoding", "").lower() == "base64"
    if (encoded or not name) and head and is_text(head):
        return part.file.read().decode("utf-8", "replace")
    return Upload(part.file, name, kind, part.size or 0)


async def _close(files: Sequence[Any]) -> None:
    """Close the files of a form, off the event loop where one is on disk, as `Spool.aclose` does."""
    if any(file._rolled for file in files):
        await asyncio.to_thread(_close_all, files)
    else:
        _close_all(files)


def _close_all(files: Sequence[Any]) -> None:
    for file in files:
        with suppress(OSError):
            file.close()
