"""A request that is kept and read again is the same for its handler, and holds no key."""

from __future__ import annotations

import io
import json
from contextlib import AsyncExitStack
from typing import Any, cast

from starlette.requests import Request

from speechmlx.key_file import ClientLimits, NamedKey
from speechmlx.protocols.http.clients import Client
from speechmlx.protocols.http.json_bounds import LongText
from speechmlx.protocols.http.kept_request import read_request, write_request
from speechmlx.protocols.http.multipart import Upload
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.request_id import KEY, request_id
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.services import Services

KEYS = b"Bearer SECRET"
SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/v1/listen",
    "query_string": b"model=a&api_key=SECRET&tag=%C3%A9&tag=b&token=SECRET&empty=",
    "headers": [(b"authorization", KEYS), (b"content-type", b"audio/wav"), (b"x-api-key", KEYS), (b"cookie", KEYS)],
    KEY: "req_1",
}
RECORDING, REFERENCE = io.BytesIO(b"sound"), io.BytesIO(b"voice")
BODY = Body(
    options={"model": "a", "token": "SECRET", "list": [1, None, "é"], "references": [LongText(b"data:\\u00e9", 0, 11)]},
    upload=RECORDING,
    form=(("model", "a"), ("tag", "1"), ("tag", "2"), ("api_key", "SECRET")),
    files={"file": Upload(RECORDING, "a.wav", "audio/wav", 5), "more": Upload(REFERENCE, "b", "", 5)},
    filename="a.wav",
)
BOB = Client("key bob", NamedKey("bob", "5EC2E7" * 10, ("use",), ClientLimits(jobs=3)), origin="https://a.b", port=7)


def kept(body: Body, client: Client) -> tuple[bytes, list[Any]]:
    context = RequestContext(Request(SCOPE), cast(Services, None), body, AsyncExitStack())
    return write_request("some.handler", context, client)


async def test_the_handler_sees_the_same() -> None:
    content, files = kept(BODY, BOB)
    assert files == [RECORDING, REFERENCE]
    again = read_request(content)
    request = again.request()
    assert again.handler == "some.handler" and request_id(again.scope) == "req_1"
    assert request.query_params.multi_items() == [("model", "a"), ("tag", "é"), ("tag", "b"), ("empty", "")]
    assert request.headers.items() == [("content-type", "audio/wav")]
    assert (request.method, request.url.path) == ("POST", "/v1/listen")
    async with AsyncExitStack() as stack:
        opened = [io.BytesIO(b"sound"), io.BytesIO(b"voice")]
        body = again.open(opened.__getitem__, stack)
        assert body.upload is body.files["file"].file is opened[0]
        assert (body.files["more"].file, body.files["more"].name) == (opened[1], "b")
        assert (body.form, body.filename) == ((("model", "a"), ("tag", "1"), ("tag", "2")), "a.wav")
        references = body.options["references"]
        assert "".join(references[0]) == "data:é" and body.options["list"] == [1, None, "é"]
    assert all(file.closed for file in opened)


def test_no_key_is_kept() -> None:
    content, _ = kept(BODY, BOB)
    assert b"SECRET" not in content and b"5EC2E7" not in content
    assert json.loads(content)["client"]["name"] == "key bob"


def test_the_client_has_its_limits_again() -> None:
    client = read_request(kept(Body(), BOB)[0]).client
    assert client.key is not None and client.key.limits == ClientLimits(jobs=3)
    assert (client.name, client.origin, client.port, client.is_local) == ("key bob", "https://a.b", 7, False)
    local = Client("this machine", is_local=True)
    assert read_request(kept(Body(), local)[0]).client == local


def test_no_object_of_a_clients_is_taken_for_a_long_text() -> None:
    content, _ = kept(Body(options={"a": {"mark": "b"}}), BOB)
    mark = json.loads(content)["mark"]
    again = read_request(kept(Body(options={"a": {mark: 1}}), BOB)[0])
    assert again.body["options"] == {"a": {mark: 1}}


async def test_a_body_without_a_recording() -> None:
    async with AsyncExitStack() as stack:
        assert read_request(kept(Body(), BOB)[0]).open([].__getitem__, stack) == Body()
