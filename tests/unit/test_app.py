"""The app: no two routes for one request, and an answer also to what fails."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from speechmlx.app import check, create_app
from speechmlx.config import Config
from speechmlx.log.lines import TextLines
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http.request_id import NamedRoute
from speechmlx.protocols.http.services import build_services
from speechmlx.protocols.http.unhandled_errors import UnhandledErrors
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.front.runtime import Runtime


async def answer(request: Request) -> Response:
    return Response()


async def talk(socket: WebSocket) -> None:
    await socket.close()


def test_the_protocols_do_not_collide() -> None:
    services = build_services(Config(), Runtime(Config(), CATALOG))
    check([route for protocol in PROTOCOLS for route in protocol(services)])


def test_one_path_with_two_methods_is_fine() -> None:
    check([Route("/a", answer, methods=["GET"]), Route("/a", answer, methods=["POST"]), WebSocketRoute("/a", talk)])


def test_two_routes_with_one_path_and_method_are_named() -> None:
    with pytest.raises(ValueError, match=r"more than one route for POST /a$"):
        check([Route("/a", answer, methods=["POST"]), Route("/b", answer), Route("/a", answer, methods=["POST"])])
    with pytest.raises(ValueError, match=r"WS /a"):
        check([WebSocketRoute("/a", talk), WebSocketRoute("/a", talk)])


async def test_what_nobody_foresaw_is_an_answer_with_an_id_and_cors_headers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config, origin = Config(allow_origin=("https://app.example",)), "https://app.example"
    runtime = Runtime(config, CATALOG)
    monkeypatch.setattr(runtime, "status", lambda: 1 / 0)
    caplog.handler.setFormatter(TextLines())
    transport = httpx.ASGITransport(create_app(build_services(config, runtime)))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers={"Origin": origin}
    ) as client:
        plain, envelope = await client.get("/health"), await client.get("/v1/models")
    for answer, error in ((plain, plain.json()["error"]), (envelope, envelope.json()["error"]["message"])):
        id = answer.headers["x-request-id"]
        assert answer.status_code == 500 and answer.headers["access-control-allow-origin"] == origin
        assert error == f"the server failed on this request; its log has the traceback, under {id}"
        assert f" failed [{id}]\n    Traceback " in caplog.text


@pytest.mark.parametrize(("accepted", "sent"), [(False, ["websocket.http.response.start"]), (True, [])])
async def test_a_socket_that_fails_is_refused_or_left_to_be_closed_as_failed(accepted: bool, sent: list[str]) -> None:
    async def talk(scope: Scope, receive: Receive, send: Send) -> None:
        if accepted:
            await send({"type": "websocket.accept"})
        raise ZeroDivisionError

    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await UnhandledErrors(talk, WorkRefusal())({"type": "websocket", "path": "/v1/realtime"}, receive, send)
    kinds = [message["type"] for message in told if message["type"] != "websocket.http.response.body"]
    assert kinds == ["websocket.accept"] * accepted + sent
    assert accepted or told[0]["status"] == 500


def test_every_route_tells_the_log_whose_it_is() -> None:
    config = Config()
    app = create_app(build_services(config, Runtime(config, CATALOG)))
    assert all(isinstance(getattr(route, "app", None), NamedRoute) for route in app.routes)
