"""Request bodies: raw audio, JSON with base64, or a form. They are read under limits of size and time."""

from __future__ import annotations

import asyncio
import mmap
import re
from codecs import iterdecode
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.requests import Request

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.http import chat_audio
from speechmlx.protocols.http.base64_audio import LONGEST, SLICE, decode_base64, mistake
from speechmlx.protocols.http.body_chunks import body_chunks, check_announced
from speechmlx.protocols.http.json_bounds import LongText
from speechmlx.protocols.http.lenient_json import check_text, read_document
from speechmlx.protocols.http.multipart import AUDIO_FIELDS, HEAD, Upload, audio_field, form_parts, is_text, read_form
from speechmlx.protocols.http.options import value
from speechmlx.protocols.http.spool import Spool

MEMORY = 4 * 1024 * 1024
"""Bytes of an upload that stay in memory; a longer one goes to disk."""
BLOCK = 256 * 1024
"""Bytes of a spooled file that are read at a time; an even number."""
IN_PLACE = 16 * 1024
"""Bytes of a body that is parsed on the event loop; a longer one is parsed on a thread."""
MAX_URLENCODED = 1024 * 1024
"""Largest body of the type application/x-www-form-urlencoded, in bytes."""
MAX_FIELDS = 1000
"""Fields of a form, as in a multipart one."""
RECORDINGS = (*AUDIO_FIELDS, "data", "input_audio", "known_speaker_references")
"""Names in JSON whose values may be as long as a recording."""
JSON = re.compile(rb"(\xef\xbb\xbf)?\s*\{\s*[\"'}#]")
FORM = re.compile(rb"[A-Za-z_][\w.%\[\]-]*=")


@dataclass(frozen=True)
class Body:
    """What a client sent: options and a recording.

    `options` are those of the query, overridden by those of the JSON or form. Null and blank values are left out.
    `upload` is the recording; None for a body without one.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    upload: BinaryIO | None = None
    form: tuple[tuple[str, str], ...] = ()
    """The options of the query and a form that are text, in order, each as often as it was sent."""
    files: Mapping[str, Upload] = field(default_factory=dict)
    """Files of a multipart form by field name."""
    filename: str = ""
    """The client's name of the upload."""


Pairs = list[tuple[str, str]]
_disk = ThreadPoolExecutor(1, "disk")
"""Long bodies are written one block after another: each thread that runs takes the interpreter from the event loop."""
_threads = ThreadPoolExecutor(1, "parsing")
"""Bodies over IN_PLACE are parsed one after the other, for the same reason."""


async def read_body(request: Request, limit: int, stack: AsyncExitStack, raw: bool = False) -> Body:
    """Read and parse the whole body. `stack` closes its files.

    The content type says how to parse it, and its first bytes do where clients leave the type to a library. With `raw`
    the body is the upload, unparsed. Raises TooLarge as soon as `limit` bytes are passed, TooSlow, BadRequest, and
    ClientDisconnect.
    """
    kind = request.headers.get("content-type", "").lower()
    query = [(name, value) for name, value in request.query_params.multi_items() if value.strip()]
    check_announced(request, limit)
    chunks = body_chunks(request, limit)
    first = await anext(chunks, b"")
    if not first:
        return Body(dict(query), None, tuple(query))
    whole = _chained(first, chunks)
    if kind.startswith("multipart/") and not raw:
        form = await read_form(request.headers, whole, stack)
        return await _on_thread(_multipart, form, query, stack)
    file = spool(stack)
    size = 0
    async for chunk in whole:
        size += len(chunk)
        await write(file, chunk, size)
    await rewind(file, size)
    parse = None if raw else _parser(kind, file)
    if parse is None:
        return Body(dict(query), file, tuple(query))
    if parse is _urlencoded and size > MAX_URLENCODED:
        raise TooLarge(
            f"a form of the type application/x-www-form-urlencoded is over the limit of {MAX_URLENCODED // 2**20} MB; "
            "send a recording as a file of a multipart form"
        )
    return parse(file, query, stack) if size <= IN_PLACE else await _on_thread(parse, file, query, stack)


async def _on_thread(parse: Callable[..., Body], *arguments: object) -> Body:
    return await asyncio.get_running_loop().run_in_executor(_threads, parse, *arguments)


def spool(stack: AsyncExitStack) -> BinaryIO:
    """A new temporary file, in memory up to MEMORY bytes, closed by `stack`."""
    file = Spool(max_size=MEMORY)
    stack.push_async_callback(file.aclose)
    return cast(BinaryIO, file)


async def write(file: BinaryIO, data: bytes, size: int) -> None:
    """Append `data` to a spooled file that then holds `size` bytes. Uses a thread when the file is on disk."""
    if size < MEMORY:
        file.write(data)
    else:
        await asyncio.get_running_loop().run_in_executor(_disk, file.write, data)


async def rewind(file: BinaryIO, size: int) -> None:
    """Go back to the start. Uses a thread when the file is on disk: the end of it is written then."""
    if size < MEMORY:
        file.seek(0)
    else:
        await asyncio.to_thread(file.seek, 0)


async def read_blocks(file: BinaryIO, size: int) -> AsyncGenerator[bytes, None]:
    """The bytes of a spooled file of `size` bytes, in blocks of at most BLOCK. Uses a thread when it is on disk."""
    file.seek(0)
    while block := file.read(BLOCK) if size < MEMORY else await asyncio.to_thread(file.read, BLOCK):
        yield block


Parser = Callable[[BinaryIO, Pairs, AsyncExitStack], Body]


def _parser(kind: str, file: BinaryIO) -> Parser | None:
    """The parser for a body of this content type; None for audio.

    The first bytes count too: libraries send JSON as text/plain or without a type, and curl's -d and --data-binary
    send everything as a form.
    """
    start = file.read(HEAD)
    file.seek(0)
    if "json" in kind:
        return _json
    if kind.startswith(("audio/", "video/")) or not is_text(start):
        return None
    if JSON.match(start):
        return _json
    if kind.startswith("application/x-www-form-urlencoded") and FORM.match(start):
        return _urlencoded
    if start[:5].lower() == b"data:" or (len(start) <= LONGEST and mistake(start.decode("utf-8", "replace").strip())):
        return _text
    return None


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    yield first
    async for chunk in rest:
        yield chunk


def _multipart(form: FormData, query: Pairs, stack: AsyncExitStack) -> Body:
    parts = form_parts(form)
    files = [(name, part) for name, part in parts if isinstance(part, Upload)]
    fields = [(name, part) for name, part in parts if isinstance(part, str)]
    check_text((fields, [(name, file.name) for name, file in files]))  # a form may name any encoding
    sent = any(audio_field(name) is not None for name, _ in files)
    body = _of_form([pair for pair in fields if not sent or pair[0] not in AUDIO_FIELDS], query, stack)
    if not files or (body.upload is not None and not sent):
        return replace(body, files=dict(files))
    _, chosen = min(files, key=_order)
    return replace(body, upload=chosen.file, files=dict(files), filename=chosen.name)


def _order(named: tuple[str, Upload]) -> tuple[bool, int, int]:
    """Sorts a form's files so that the recording is first: files with contents, then by field, then by type."""
    place = audio_field(named[0])
    return not named[1].size, len(AUDIO_FIELDS) if place is None else place, named[1].order


def _urlencoded(file: BinaryIO, query: Pairs, stack: AsyncExitStack) -> Body:
    try:
        pairs = parse_qsl(file.read().decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest(f"the form has more than {MAX_FIELDS} fields, which is the limit") from None
    # A + that was not percent-encoded has become a space. Base64 has no spaces.
    repaired = [(name, text.replace(" ", "+") if name in AUDIO_FIELDS else text) for name, text in pairs]
    return _of_form([(name, text) for name, text in repaired if text.strip()], query, stack)


def _of_form(fields: Pairs, query: Pairs, stack: AsyncExitStack) -> Body:
    options, upload = _split(dict(fields), stack)
    form = [*(pair for pair in query if pair[0] not in options), *(pair for pair in fields if pair[0] in options)]
    return Body(dict(form), upload, tuple(form))


def _json(file: BinaryIO, query: Pairs, stack: AsyncExitStack) -> Body:
    try:
        parsed = read_document(_contents(file), RECORDINGS)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadRequest(f"the JSON body must be an object, not {type(parsed).__name__}")
    fields, raw = chat_audio.extract_recording({name: entry for name, entry in parsed.items() if entry is not None})
    options, upload = _split(fields, stack)
    if upload and raw:
        upload = chat_audio.with_header(upload, raw, spool(stack))
    options = {name: entry for name, entry in options.items() if value(options, name) is not None}
    form = tuple(pair for pair in query if pair[0] not in options)
    return Body({**dict(form), **options}, upload, form)


def _contents(file: BinaryIO) -> bytes:
    """What the file holds. One on disk is mapped: to copy it, and to free the copy, holds the interpreter."""
    if cast(Spool, file).on_disk:
        return cast(bytes, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))  # has what is asked of bytes here
    return file.read()


def _text(file: BinaryIO, query: Pairs, stack: AsyncExitStack) -> Body:
    text = iterdecode(iter(partial(file.read, SLICE), b""), "utf-8", "replace")
    return Body(dict(query), _written("the body", text, stack), tuple(query))


def _split(options: dict[str, Any], stack: AsyncExitStack) -> tuple[dict[str, Any], BinaryIO | None]:
    """The options without the fields of the recording, and the recording."""
    recordings = {name: options.pop(name) for name in AUDIO_FIELDS if name in options}
    if not recordings:
        return options, None
    name = next((name for name, text in recordings.items() if text), next(iter(recordings)))
    return options, _decoded(repr(name), recordings[name], stack)


def _decoded(what: str, text: Any, stack: AsyncExitStack) -> BinaryIO:
    """The recording in the base64 or data: URL `text`; `what` names it in errors. Raises BadRequest."""
    if not isinstance(text, str | LongText):
        raise BadRequest(f"{what} must be a string, not {type(text).__name__}")
    return _written(what, text, stack)


def _written(what: str, text: str | Iterable[str], stack: AsyncExitStack) -> BinaryIO:
    file = spool(stack)
    for piece in decode_base64(what, text):
        file.write(piece)
    file.seek(0)
    return file
