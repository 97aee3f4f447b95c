"""The span of a request or socket: its trace, its name by the route, its status, and nothing of its query."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from support.traces import named, parent_of, spans_in_memory

from speechmlx import tracing
from speechmlx.log import RequestRecord, current, recording
from speechmlx.protocols.http.request_id import NamedRoute
from speechmlx.protocols.http.request_trace import TraceRequests

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def receive() -> Message:
    raise AssertionError


async def send(message: Message) -> None:
    """Sends nothing."""


async def passed(app: ASGIApp, *headers: tuple[bytes, bytes], **scope: object) -> RequestRecord:
    whole: Scope = {"type": "http", "method": "POST", "path": "/v1/models/a", "query_string": b"token=secret"}
    with recording(RequestRecord("req_1")) as record:
        route = NamedRoute(app, "xinference", "/v1/models/{name}")
        await TraceRequests(route)({**whole, "headers": headers, "client": ("10.0.0.7", 5), **scope}, receive, send)
    return record


async def test_a_request_is_a_span_in_the_trace_of_its_client() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with tracing.span("inside"):
            record = current()
            assert record is not None
            record.use("whisper")
            record.key = "laptop"
        await PlainTextResponse("")(scope, receive, send)

    with spans_in_memory() as exporter:
        record = await passed(answer, (b"traceparent", PARENT))
    spans = named(exporter)
    span = spans["POST /v1/models/{name}"]
    assert parent_of(spans["inside"]) == span.context.span_id and span.kind is SpanKind.SERVER
    assert record.trace_id == f"{span.context.trace_id:032x}" == PARENT.decode().split("-")[1]
    assert span.attributes == {
        "http.request.method": "POST",
        "url.path": "/v1/models/a",
        "client.address": "10.0.0.7",
        "http.response.status_code": 200,
        "http.route": "/v1/models/{name}",
        "speechmlx.request_id": "req_1",
        "speechmlx.wire": "xinference",
        "speechmlx.key": "laptop",
        "speechmlx.models": "whisper",
    }
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(("status", "code"), [(404, StatusCode.UNSET), (503, StatusCode.ERROR)])
async def test_only_an_error_of_the_server_is_one(status: int, code: StatusCode) -> None:
    with spans_in_memory() as exporter:
        await passed(PlainTextResponse("", status))
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is code


async def test_a_socket_and_what_is_raised() -> None:
    async def talk(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "headers": []})
        raise ZeroDivisionError

    with spans_in_memory() as exporter, pytest.raises(ZeroDivisionError):
        await passed(talk, type="websocket", method=None)
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None and span.attributes["http.response.status_code"] == 101
    assert span.status.status_code is StatusCode.ERROR


async def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    with spans_in_memory() as exporter:
        await TraceRequests(app)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"] and not exporter.get_finished_spans()
