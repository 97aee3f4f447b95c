"""What a connection to /asr is refused for before its session: a wrong key, what the server has no model for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import QueryParams
from starlette.websockets import WebSocketState

from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Catalog
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.whisperlivekit.connection import caption
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind


class Socket:
    """A handshake with a query, and what the client gets: texts, close codes."""

    def __init__(self, query: str) -> None:
        self.query_params = QueryParams(query)
        self.scope = {"type": "websocket", "headers": [], "query_string": query.encode(), "path": "/asr", "state": {}}
        self.application_state = WebSocketState.CONNECTING
        self.got: list[Any] = []

    async def accept(self, subprotocol: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        self.application_state = WebSocketState.CONNECTED

    async def send_text(self, text: str) -> None:
        self.got.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        assert len(reason.encode()) <= 123
        self.got.append(code)


def services(catalog: Catalog = CATALOG, **config: Any) -> Services:
    settings = Config(**config)
    return build_services(settings, Runtime(settings, catalog))


async def refused(query: str, server: Services) -> Socket:
    socket = Socket(query)
    await caption(socket, server)  # type: ignore[arg-type]
    return socket


@pytest.mark.parametrize("query", ["", "token=wrong", "mode=diff"])
async def test_a_wrong_key_is_refused_before_the_socket_is_accepted(query: str) -> None:
    socket = await refused(query, services(api_key=("right",)))
    assert socket.application_state is WebSocketState.CONNECTING and socket.got == [4401]


async def test_speakers_without_a_model_for_them_are_refused() -> None:
    profiles: dict[str, dict[Kind, str]] = {name: {} for name in CATALOG.profiles}
    for name, models in CATALOG.profiles.items():
        profiles[name] |= {kind: model for kind, model in models.items() if kind is not Kind.DIARIZE}
    message, code = (await refused("diarization=1", services(replace(CATALOG, profiles=profiles)))).got
    assert message["type"] == "error" and "diarize model" in message["error"] and code == 4400


async def test_a_wrong_parameter_is_refused() -> None:
    message, code = (await refused("language=nowhere", services())).got
    assert message["type"] == "error" and "'nowhere'" in message["error"] and code == 4400
