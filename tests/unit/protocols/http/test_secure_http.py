"""HTTP/2 with a client that abuses it: the protocol itself, with an app and a client of the h2 package, no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, ResponseReceived
from h2.settings import SettingCodes
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, RawData
from hypercorn.typing import ConnectionState

from speechmlx.protocols.http import request_stream
from speechmlx.protocols.http.secure_http import CONTROL_AT_ONCE, RESETS_AT_ONCE, SecureHttp

HEADERS = ((":method", "POST"), (":path", "/"), (":scheme", "https"), (":authority", "localhost"))


class Connected:
    """A client and the server's protocol. `events`: what the client was told; `closed`: whether the server closed."""

    def __init__(self, app: Any, group: TaskGroup) -> None:
        self.client = H2Connection(H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.events: list[Event] = []
        self.closed = False
        address = ("127.0.0.1", 1)
        self.server = SecureHttp(
            ASGIWrapper(app),
            Config(),
            WorkerContext(None),
            group,
            ConnectionState({}),
            True,
            address,
            address,
            self._send,
        )

    async def _send(self, event: object) -> None:
        if isinstance(event, RawData):
            self.events += self.client.receive_data(event.data)
        self.closed = self.closed or isinstance(event, Closed)

    async def flush(self) -> None:
        """What the client has to send reaches the server, which has time for it."""
        await self.server.handle(RawData(self.client.data_to_send()))
        await asyncio.sleep(0.02)

    def request(self, end: bool = True) -> int:
        stream = int(self.client.get_next_available_stream_id())
        self.client.send_headers(stream, HEADERS, end_stream=end)
        return stream

    @property
    def statuses(self) -> list[bytes]:
        found = [dict(event.headers or ()) for event in self.events if isinstance(event, ResponseReceived)]
        return [bytes(headers[b":status"]) for headers in found]

    @property
    def ends(self) -> list[Any]:
        return [event.error_code for event in self.events if isinstance(event, ConnectionTerminated)]


@asynccontextmanager
async def connected(app: Any) -> AsyncIterator[Connected]:
    """A connection to `app`; its client leaves at the end, and then every task of the connection must end."""
    request_stream.install()
    async with asyncio.timeout(10), TaskGroup(asyncio.get_running_loop()) as group:
        made = Connected(app, group)
        await made.server.initiate()
        yield made
        await made.server.handle(Closed())


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    """Answers before it reads the body."""
    await send({"type": "http.response.start", "status": 413, "headers": []})
    await send({"type": "http.response.body", "body": b"too large"})


class Long:
    """Sends a long answer; `waiting` counts those under way."""

    def __init__(self) -> None:
        self.waiting = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.waiting += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(200_000)})
        finally:
            self.waiting -= 1


async def test_a_body_that_goes_on_after_its_answer_ends_nothing_else() -> None:
    async with connected(refuses) as made:
        first = made.request(end=False)
        await made.flush()
        made.client.send_data(first, b"more of the body")
        await made.flush()
        made.request()
        await made.flush()
        assert made.statuses == [b"413", b"413"] and not made.closed


async def test_parts_of_a_body_that_nobody_reads_are_let_go() -> None:
    """The request waited for a place in the queue of its parts, and its connection read no more."""
    async with connected(refuses) as made:
        first = made.request(end=False)
        for _ in range(40):
            made.client.send_data(first, b"x")
        await asyncio.wait_for(made.flush(), 2)
        made.request()
        await made.flush()
        assert made.statuses == [b"413", b"413"] and not made.closed


@pytest.mark.parametrize("how", ["reset", "leave"])
async def test_nothing_waits_for_a_client_that_reads_no_answer(how: str) -> None:
    """Each kept a task and its answer for ever."""
    app = Long()
    async with connected(app) as made:
        made.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
        await made.flush()
        streams = [made.request() for _ in range(5)]
        await made.flush()
        assert app.waiting == 5
        if how == "reset":
            for stream in streams:
                made.client.reset_stream(stream)
            await made.flush()
            assert app.waiting == 0
    assert app.waiting == 0


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("resets", RESETS_AT_ONCE),
        ("pings", CONTROL_AT_ONCE),
        ("settings", 500),
        ("priorities", 500),
    ],
)
async def test_what_is_taken_back_or_says_nothing_is_limited(kind: str, most: float) -> None:
    async with connected(refuses) as made:
        for count in range(int(most) + 50):
            if kind == "resets":
                made.client.reset_stream(made.request())
            elif kind == "pings":
                made.client.ping(bytes(8))
            elif kind == "settings":
                made.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: 4096 + count})
            else:
                made.client.prioritize(2 * count + 1, weight=9)
            if count == most // 2:
                await made.flush()
                assert made.ends == []
        await made.flush()
        assert made.ends == [ErrorCodes.ENHANCE_YOUR_CALM] and made.closed
        await made.server.handle(RawData(b"\0" * 100))  # what still comes is not looked at
        assert made.ends == [ErrorCodes.ENHANCE_YOUR_CALM]
