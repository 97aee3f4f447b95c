"""A reverse proxy that serves a server below a path prefix. Any other path gets the proxy's own 404."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

DROPPED = ("connection", "content-length", "date", "server", "transfer-encoding")


@contextmanager
def reverse_proxy(url: str, prefix: str = "/tts") -> Iterator[str]:
    """Run a proxy that strips `prefix` and forwards to `url`; yields its base URL, with the prefix."""
    with httpx.Client(base_url=url, timeout=300, trust_env=False) as client:

        class Proxy(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def pass_on(self) -> None:
                if not self.path.startswith(f"{prefix}/"):
                    self.send_error(404, "not below the prefix")
                    return
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
                answer = client.request(
                    self.command, url + self.path.removeprefix(prefix), content=body, headers=headers
                )
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in (*DROPPED, "content-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = do_DELETE = pass_on

        with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
            thread = Thread(target=proxy.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{proxy.server_port}{prefix}"
            finally:
                proxy.shutdown()
                thread.join()
