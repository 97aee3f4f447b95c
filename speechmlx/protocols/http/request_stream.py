"""Requests of Hypercorn that end when their answer does, also where nobody took what came of their body.

Written against hypercorn 0.18.0 (protocol/http_stream.py, asyncio/task_group.py). There the parts of a body wait for
the app in a queue of ten, and the end of the request waits for a place in it: where the app answers without reading
the body, such as with 404, nobody makes a place, and the request, its connection's task and the parts stay for ever.
"""

from __future__ import annotations

from hypercorn.protocol import h2, h11
from hypercorn.protocol.events import Event, StreamClosed
from hypercorn.protocol.http_stream import HTTPStream


def install() -> None:
    """Make Hypercorn's protocols use RequestStream."""
    for protocol in (h11, h2):
        protocol.HTTPStream = RequestStream


class RequestStream(HTTPStream):  # type: ignore[misc]
    """One request and its answer."""

    async def handle(self, event: Event) -> None:
        """Take what the client sent, or the end of the request, which waits for nothing."""
        if isinstance(event, StreamClosed) and not self.closed:
            queue = self.app_put.__self__  # the task group gives the method `put` of a queue
            if queue.full():
                while not queue.empty():  # room for the end, and for the part that may wait already
                    queue.get_nowait()
        await super().handle(event)
