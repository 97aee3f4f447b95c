"""A connection at /ws/transcribe without a server: who ends it, and what that ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.raw_socket import RawSocket

from speechmlx.config import Config
from speechmlx.errors import Busy
from speechmlx.key_file import ClientLimits, KeyFile, make_key
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols import session_limit, ws
from speechmlx.protocols.http.clients import current_client
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.one_shot import connection
from speechmlx.protocols.one_shot.request_metrics import RequestMetrics
from speechmlx.runtime.front.runtime import Runtime

ASKED = '{"type": "transcribe"}'


@pytest.fixture
def services() -> Services:
    return build_services(Config(), Runtime(Config(), CATALOG))


async def answered(services: Services, raw: RawSocket) -> None:
    async with asyncio.timeout(30):
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


async def test_a_request_has_a_seat_while_it_is_worked_on_and_an_idle_connection_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_limit, "LEAVING", 0.1)
    config = Config(max_sessions=1)
    services = build_services(config, Runtime(config, CATALOG))
    go = asyncio.Event()

    async def wait(*arguments: Any) -> None:
        await go.wait()
        raise Busy("over")

    monkeypatch.setattr(type(services.decoding), "decode", wait)
    idle, first, second = RawSocket(ASKED), RawSocket(ASKED, b"RIFF"), RawSocket(ASKED, b"RIFF")
    tasks = [asyncio.create_task(answered(services, raw)) for raw in (idle, first)]
    await asyncio.sleep(0.05)
    assert services.runtime.metrics.wire_sessions["one_shot"] == 1
    tasks.append(asyncio.create_task(answered(services, second)))
    await asyncio.sleep(0.3)
    assert second.sent == [{"error": "1 live sessions are open, which is the limit (max_sessions); try again later"}]
    go.set()
    second.put(ASKED)
    second.put(b"RIFF")
    await asyncio.sleep(0.05)
    assert first.sent == [{"error": "over"}] and second.sent[1] == {"error": "over"}
    assert services.runtime.metrics.wire_sessions["one_shot"] == 0
    for raw in (idle, first, second):
        raw.put(None)
    await asyncio.gather(*tasks)


async def test_requests_count_for_the_key_that_came_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, secret = make_key("guest", ["use"], ClientLimits(requests_per_minute=2))
    KeyFile(tmp_path / "keys.json").add(key)
    config = Config(key_file=tmp_path / "keys.json")
    services = build_services(config, Runtime(config, CATALOG))
    clients = []

    async def fail(*arguments: Any) -> None:
        clients.append(current_client())
        raise Busy("over")

    monkeypatch.setattr(type(services.decoding), "decode", fail)
    asked = json.dumps({"type": "transcribe", "api_key": secret})
    messages: list[str | bytes | None] = [asked, b"RIFF"]
    raw = RawSocket(*messages * 3)
    task = asyncio.create_task(answered(services, raw))
    while len(raw.sent) < 3:
        await asyncio.sleep(0.01)
    raw.put(None)
    await task
    assert [client and client.name for client in clients] == ["key guest"] * 2
    assert [message["error"] for message in raw.sent[:2]] == ["over"] * 2
    assert "key guest sent more than 2 requests a minute" in raw.sent[2]["error"]
