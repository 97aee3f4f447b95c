"""A request as a background job keeps it: all that its handler reads, without the keys that it came with."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.types import Message, Scope

from speechmlx.key_file import ClientLimits, NamedKey
from speechmlx.protocols.http.access_keys import QUERY
from speechmlx.protocols.http.clients import Client
from speechmlx.protocols.http.json_bounds import LongText
from speechmlx.protocols.http.multipart import Upload
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.request_id import KEY, NOTES, request_id

if TYPE_CHECKING:
    from speechmlx.protocols.http.routing import RequestContext

SECRET = ("authorization", "cookie", "proxy-authorization", "x-api-key")
"""Headers that are not kept."""


@dataclass(frozen=True)
class KeptRequest:
    """What was kept: the name of the handler, the client, the scope, and the body without its open files."""

    handler: str
    client: Client
    scope: dict[str, Any]
    body: Mapping[str, Any]

    def request(self) -> Request:
        """The request again. Its client never leaves."""
        return Request(self.scope, _stay)

    def open(self, open_file: Callable[[int], BinaryIO], stack: AsyncExitStack) -> Body:
        """The body again. `stack` closes its files."""
        files: dict[int, BinaryIO] = {}

        def opened(number: int) -> BinaryIO:
            if number not in files:
                files[number] = open_file(number)
                stack.callback(files[number].close)
            return files[number]

        body = self.body
        return Body(
            options=body["options"],
            upload=None if body["upload"] is None else opened(body["upload"]),
            form=tuple((name, value) for name, value in body["form"]),
            files={
                name: Upload(opened(file["number"]), file["name"], file["type"], file["size"])
                for name, file in body["files"].items()
            },
            filename=body["filename"],
        )


async def _stay() -> Message:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")


def write_request(handler: str, context: RequestContext, client: Client) -> tuple[bytes, list[BinaryIO]]:
    """A request as text, and its files in the order of their numbers."""
    files: list[BinaryIO] = []

    def number(file: BinaryIO) -> int:
        for place, known in enumerate(files):
            if known is file:
                return place
        files.append(file)
        return len(files) - 1

    scope, body, mark = context.request.scope, context.body, secrets.token_hex(16)
    key = client.key and replace(client.key, sha256="")  # it may be of a weak key
    kept = {
        "handler": handler,
        "mark": mark,
        "client": asdict(replace(client, key=key)),
        "scope": _scope(scope),
        "body": {
            "options": {name: value for name, value in body.options.items() if name not in QUERY},
            "upload": None if body.upload is None else number(body.upload),
            "form": [pair for pair in body.form if pair[0] not in QUERY],
            "files": {
                name: {"number": number(file.file), "name": file.name, "type": file.type, "size": file.size}
                for name, file in body.files.items()
            },
            "filename": body.filename,
        },
    }
    return json.dumps(kept, default=partial(_plain, mark)).encode(), files


def read_request(content: bytes) -> KeptRequest:
    """What `write_request` wrote."""
    kept = json.loads(content)
    body = {**kept["body"], "options": _restored(kept["body"]["options"], kept["mark"])}
    client, scope = dict(kept["client"]), kept["scope"]
    if client["key"] is not None:
        key = client["key"]
        client["key"] = NamedKey(key["name"], key["sha256"], tuple(key["scopes"]), ClientLimits(**key["limits"]))
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope["headers"]]
    query = scope["query_string"].encode("latin-1")
    whole = {**scope, "type": "http", "headers": headers, "query_string": query, NOTES: []}
    return KeptRequest(kept["handler"], Client(**client), whole, body)


def _scope(scope: Scope) -> dict[str, Any]:
    pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return {
        "method": scope["method"],
        "path": scope["path"],
        "query_string": urlencode([pair for pair in pairs if pair[0] not in QUERY]),
        "headers": [pair for pair in headers if pair[0].lower() not in SECRET],
        KEY: request_id(scope),
    }


def _plain(mark: str, value: Any) -> Any:
    """An object that stands for a LongText. Its key is random, so that no client's object is taken for one."""
    if isinstance(value, LongText):
        return {mark: value.raw.decode("latin-1")}
    raise TypeError(f"a request cannot be kept with {type(value).__name__}")


def _restored(value: Any, mark: str) -> Any:
    if isinstance(value, list):
        return [_restored(entry, mark) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {mark}:
        return LongText(raw := value[mark].encode("latin-1"), 0, len(raw))
    return {name: _restored(entry, mark) for name, entry in value.items()}
