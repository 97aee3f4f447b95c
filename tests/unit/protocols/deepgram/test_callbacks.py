"""Results for callbacks: delivered, tried again, with errors, and no more than may wait."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from speechmlx.errors import BadRequest, Busy, EngineFailed
from speechmlx.protocols.deepgram.callbacks import TRIES, Callbacks

URL = "http://example.org/done"


class Fetches:
    """Notes what is sent; the first `refusals` are refused."""

    def __init__(self, refusals: int = 0) -> None:
        self.sent: list[tuple[str, str, Any, str]] = []
        self.tries = 0
        self._refusals = refusals

    async def send(self, url: str, body: bytes, method: str, headers: Mapping[str, str]) -> None:
        self.tries += 1
        if self.tries <= self._refusals:
            raise BadRequest("it answered 500")
        assert headers["Content-Type"] == "application/json"
        self.sent.append((url, method, json.loads(body), headers["dg-request-id"]))


async def work(result: dict[str, Any] | Exception) -> dict[str, Any]:
    await asyncio.sleep(0)
    if isinstance(result, Exception):
        raise result
    return result


async def deliver(fetches: Fetches, result: dict[str, Any] | Exception) -> bool:
    """Start the work, wait until all is done, and tell whether the stack's contents were closed."""
    callbacks, closed = Callbacks(fetches, 4, pause=0.0), asyncio.Event()  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        stack.callback(closed.set)
        callbacks.start(URL, "PUT", "req_1", work(result), stack)
    assert not closed.is_set()
    while callbacks._tasks:
        await asyncio.sleep(0.001)
    return closed.is_set()


async def test_a_result_is_delivered() -> None:
    fetches = Fetches()
    assert await deliver(fetches, {"results": "ä"})
    assert fetches.sent == [(URL, "PUT", {"results": "ä"}, "req_1")]


async def test_it_is_tried_again_and_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    fetches = Fetches(TRIES - 1)
    await deliver(fetches, {"a": 1})
    assert fetches.tries == TRIES and len(fetches.sent) == 1
    fetches = Fetches(TRIES)
    await deliver(fetches, {"a": 1})
    assert fetches.tries == TRIES and not fetches.sent
    assert "req_1: the result was not delivered to its callback: it answered 500" in caplog.text


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (EngineFailed("it broke"), "INTERNAL_SERVER_ERROR", "it broke"),
        (ValueError("x"), "INTERNAL_SERVER_ERROR", "log"),
    ],
)
async def test_an_error_is_delivered_too(error: Exception, code: str, says: str) -> None:
    fetches = Fetches()
    assert await deliver(fetches, error)
    ((_, _, content, _),) = fetches.sent
    assert (content["err_code"], content["request_id"]) == (code, "req_1") and says in content["err_msg"]


async def test_only_so_many_wait_and_a_stop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    callbacks = Callbacks(Fetches(), 1)  # type: ignore[arg-type]

    async def forever() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async with AsyncExitStack() as stack:
        callbacks.start(URL, "POST", "req_1", forever(), stack)
        with pytest.raises(Busy, match="1 results wait"):
            callbacks.start(URL, "POST", "req_2", forever(), stack)
    (task,) = callbacks._tasks
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "req_1: the result was not delivered to its callback: the server stops" in caplog.text
