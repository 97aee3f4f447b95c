"""A connection at /ws/transcribe without a server: who ends it, and what that ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from support.raw_socket import RawSocket

from speechmlx.config import Config
from speechmlx.errors import Busy
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols import ws
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.one_shot import connection
from speechmlx.protocols.one_shot.request_metrics import RequestMetrics
from speechmlx.runtime.front.runtime import Runtime

ASKED = '{"type": "transcribe"}'


@pytest.fixture
def services() -> Services:
    return build_services(Config(), Runtime(Config(), CATALOG))


async def answered(services: Services, raw: RawSocket) -> None:
    async with asyncio.timeout(5):
        await connection.answer(raw.socket, services, RequestMetrics(services.runtime.metrics))


async def test_it_ends_when_the_client_leaves(services: Services) -> None:
    raw = RawSocket('{"type": "ping"}', None)
    await answered(services, raw)
    assert raw.sent == [{"type": "pong", "status": "ok"}]


async def test_a_server_that_stops_closes_it(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "LAST_WORDS", 0.0)
    services.runtime.drained.set()
    raw = RawSocket()
    await answered(services, raw)
    assert raw.sent == [1012]


async def test_errors_are_answers(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the server are told as they are, others not."""
    errors: list[Exception] = [Busy("full"), RuntimeError("secret")]

    async def fail(*arguments: Any) -> None:
        raise errors.pop(0)

    monkeypatch.setattr(connection, "recognise_all", fail)
    monkeypatch.setattr(type(services.decoding), "decode", fail)
    raw = RawSocket(ASKED, b"RIFF", ASKED, b"RIFF")
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await answered(services, raw)
    assert raw.sent[0] == {"error": "full"}
    assert "its log has more" in raw.sent[1]["error"] and "secret" not in raw.sent[1]["error"]


async def test_a_client_that_leaves_cancels_its_request(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, cancelled = asyncio.Event(), []

    async def wait(*arguments: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    monkeypatch.setattr(type(services.decoding), "decode", wait)
    raw = RawSocket(ASKED, b"RIFF")
    answering = asyncio.create_task(answered(services, raw))
    await begun.wait()
    raw.put(None)
    await answering
    assert cancelled and not raw.sent
