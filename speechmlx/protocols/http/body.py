"""Request bodies, read under a running limit: raw audio, JSON with base64, or a form, with options from anywhere."""

from __future__ import annotations

import asyncio
import binascii
import re
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http.reading import check_text, read_json

MEMORY = 4 * 1024 * 1024
"""Bytes of an upload kept in memory; more goes to disk."""
IN_PLACE = 64 * 1024
"""Bytes parsed without leaving the event loop."""
SILENCE = 30.0
"""Seconds an upload may pause."""
BASE64_FIELDS = ("file", "audio_base64")
"""Options that are audio; the later name counts where both are given."""
BASE64_SLICE = 1 << 18
"""Characters decoded at a time (a multiple of 4), so that other threads get their turn in between."""


@dataclass(frozen=True)
class Upload:
    """A file of a form and what the client calls it."""

    file: BinaryIO
    name: str


@dataclass(frozen=True)
class Body:
    """What a client sent: `options` of the query, overridden by those of the JSON or form, and its `upload`, if any."""

    options: Mapping[str, Any] = field(default_factory=dict)
    upload: BinaryIO | None = None
    form: tuple[tuple[str, str], ...] = ()
    """Text fields of a multipart form, in order and each as often as it was sent."""
    files: Mapping[str, Upload] = field(default_factory=dict)
    """Files of a multipart form by field name."""


async def read_body(request: Request, limit: int, stack: AsyncExitStack, raw: bool = False) -> Body:
    """The whole body; its files are closed by `stack`.

    What it is goes by its type, and by its first byte where clients are known to leave curl's default type; with
    `raw` it is the upload, whatever it is. Raises TooLarge as soon as `limit` bytes are passed, BadRequest, and
    ClientDisconnect.
    """
    kind = request.headers.get("content-type", "").lower()
    query = dict(request.query_params)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    chunks = _limited(request, limit)
    if kind.startswith("multipart/") and not raw:
        return await _multipart(request, chunks, query, stack)
    file = spool(stack)
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        await write(file, chunk, size)
    file.seek(0)
    parse = None if raw else _parser(kind, file)
    if parse is None:
        return Body(query, file if size else None)
    options, upload = parse(file, stack) if size <= IN_PLACE else await asyncio.to_thread(parse, file, stack)
    return Body({**query, **options}, upload)


def spool(stack: AsyncExitStack) -> BinaryIO:
    """A new temporary file, in memory up to MEMORY bytes, closed by `stack`."""
    file = tempfile.SpooledTemporaryFile(max_size=MEMORY)
    stack.callback(file.close)
    return cast(BinaryIO, file)


async def write(file: BinaryIO, data: bytes, size: int) -> None:
    """Append to a spooled file that then holds `size` bytes; in a thread once it is on disk."""
    if size < MEMORY:
        file.write(data)
    else:
        await asyncio.to_thread(file.write, data)


Parser = Callable[[BinaryIO, AsyncExitStack], tuple[dict[str, Any], BinaryIO | None]]


def _parser(kind: str, file: BinaryIO) -> Parser | None:
    """How to read a body of this content type; None: it is audio."""
    if "json" in kind:
        return _json
    if kind.startswith("application/x-www-form-urlencoded"):  # curl's type for -d and --data-binary, whatever the data
        start = file.read(64)
        file.seek(0)
        if start.lstrip().startswith(b"{"):
            return _json
        if re.match(rb"[A-Za-z_][\w.%-]*=", start):
            return _urlencoded
    return None


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is over the limit of {limit / 2**20:g} MB ({limit} bytes)")


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """Chunks as they come. Starlette's own stream waits for ever on a client that stalls."""
    size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(SILENCE):
                message = await request.receive()
        except TimeoutError:
            raise BadRequest(f"the upload paused for more than {SILENCE:g} seconds") from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk


async def _multipart(
    request: Request, chunks: AsyncGenerator[bytes, None], query: dict[str, str], stack: AsyncExitStack
) -> Body:
    parser = MultiPartParser(request.headers, chunks, max_part_size=MEMORY)
    stack.callback(_close, parser._files_to_close_on_error)  # all its files; it closes them for its own errors only
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"the multipart body cannot be read: {error.message}") from error
    parts = form.multi_items()
    files = {name: Upload(part.file, part.filename or "") for name, part in parts if isinstance(part, UploadFile)}
    fields = tuple((name, part) for name, part in parts if isinstance(part, str))
    check_text((fields, [(name, file.name) for name, file in files.items()]))  # a form may name any encoding
    options, upload = await asyncio.to_thread(_split, dict(fields), stack)
    if files:
        upload = next(iter(files.values())).file
    return Body({**query, **options}, upload, fields, files)


def _close(files: Sequence[Any]) -> None:
    for file in files:
        file.close()


def _urlencoded(file: BinaryIO, stack: AsyncExitStack) -> tuple[dict[str, Any], BinaryIO | None]:
    return _split(dict(parse_qsl(file.read().decode("utf-8", "replace"), keep_blank_values=True)), stack)


def _json(file: BinaryIO, stack: AsyncExitStack) -> tuple[dict[str, Any], BinaryIO | None]:
    try:
        value = read_json(file.read())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"the JSON body must be an object, not {type(value).__name__}")
    return _split({name: option for name, option in value.items() if option is not None}, stack)


def _split(options: dict[str, Any], stack: AsyncExitStack) -> tuple[dict[str, Any], BinaryIO | None]:
    """Options and, out of them, the audio."""
    upload = None
    for name in BASE64_FIELDS:
        if name in options:
            upload = _from_base64(name, options.pop(name), stack)
    return options, upload


def _from_base64(name: str, text: Any, stack: AsyncExitStack) -> BinaryIO:
    if not isinstance(text, str):
        raise BadRequest(f"{name!r} must be a string, not {type(text).__name__}")
    file = spool(stack)
    try:
        compact = text.encode("ascii").translate(None, b" \t\r\n")
        for start in range(0, len(compact), BASE64_SLICE):
            file.write(binascii.a2b_base64(compact[start : start + BASE64_SLICE], strict_mode=True))
    except ValueError as error:
        raise BadRequest(f"{name!r} is not base64: {error}") from error
    file.seek(0)
    return file
