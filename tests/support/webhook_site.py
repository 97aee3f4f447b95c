"""A site on this machine that takes webhooks, and refuses the first few."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Told:
    """One message that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class WebhookSite(ThreadingHTTPServer):
    """Keeps what comes in `told`. The first `refusals` messages are answered with 500."""

    def __init__(self, refusals: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = refusals
        self.told: list[Told] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait(self, count: int, seconds: float = 20.0) -> list[Told]:
        """The messages, once there are `count`."""
        end = time.monotonic() + seconds
        while len(self.told) < count and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.told) >= count, self.told
        return self.told


class _Handler(BaseHTTPRequestHandler):
    server: WebhookSite

    def log_message(self, format: str, *values: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.told.append(Told(self.command, self.path, headers, body))
        self.send_response(500 if len(self.server.told) <= self.server.refusals else 204)
        self.end_headers()

    do_PUT = do_POST


@contextmanager
def webhook_site(refusals: int = 0) -> Iterator[WebhookSite]:
    """A site for the block."""
    with WebhookSite(refusals) as site:
        thread = Thread(target=site.serve_forever, daemon=True)
        thread.start()
        yield site
        site.shutdown()
        thread.join()
