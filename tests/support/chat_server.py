"""A language model elsewhere: a server of OpenAI's chat completions whose answers a function writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def chat_server(reply: Callable[[str, str], str]) -> Iterator[str]:
    """The base of its API. `reply` gets the system message and the last message."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
            text = reply(messages[0]["content"], messages[-1]["content"])
            chunk = json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"data: {chunk}\n\ndata: [DONE]\n\n".encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
