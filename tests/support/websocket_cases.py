"""The Autobahn suite against an echo on the server's WebSockets, and what may differ from what its cases expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kosoku import FailureError, run_fuzzingclient
from support.served_app import serving

from speechmlx.serve import MAX_MESSAGE

QUIET = 600.0
"""Seconds between pings: the cases count every frame, so none of the server's own may come between."""
DECLINED = ("12.", "13.")
"""Sections of compression, which is not offered: the suite calls each of their cases unimplemented."""
EARLIER_MESSAGE_DROPPED = frozenset(("3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"))
"""A good message and a frame that breaks the protocol come in one piece: the socket is closed before the app answers
the message. The suite calls that "non-strict": allowed, but not the best."""
BOUNDED = frozenset(("9.7.1", "9.8.1"))
"""A thousand empty messages as fast as they go: more than the bound on frames without content."""


@dataclass(frozen=True)
class Case:
    """How one case ended: the suite's words for the messages and for the close."""

    name: str
    messages: str
    close: str
    detail: str

    @property
    def expected(self) -> bool:
        """Whether it ended as the suite wants it, or as the server means to differ."""
        if self.name in BOUNDED:
            return "pings or empty frames" in self.detail
        if self.name.startswith(DECLINED):
            return (self.messages, self.close) == ("UNIMPLEMENTED", "OK")
        if self.name in EARLIER_MESSAGE_DROPPED:
            return self.messages in ("OK", "NON-STRICT") and self.close == "OK"
        return self.messages in ("OK", "INFORMATIONAL") and self.close in ("OK", "INFORMATIONAL")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that returns each message."""
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send({**message, "type": "websocket.send"})


async def run_cases(only: Sequence[str] | None = None, but: Sequence[str] = (), parallel: int = 4) -> list[Case]:
    """Run the cases whose names match `only` ("9.*"; None: all) and not `but`, and tell how each ended."""
    async with serving(echo, limit=MAX_MESSAGE, interval=QUIET) as address:
        url = f"ws://127.0.0.1:{address.port}"
        try:
            results = await run_fuzzingclient(url, only, but, parallel)
        except FailureError as error:
            results = error.results
    return [_case(result) for result in results]


def _case(result: Any) -> Case:
    detail = f"{result.result} {result.result_close} close {result.remote_close_code}: {result.remote_close_reason}"
    return Case(result.case_id, result.behavior.value, result.behavior_close.value, detail)
