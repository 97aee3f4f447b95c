"""Which server a verb uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from speechmlx.cli.terminal.servers import ServerAddress, checked_url, find_server, own_server
from speechmlx.config import Config
from speechmlx.errors import BadRequest, Unavailable


@contextmanager
def answering(body: bytes) -> Iterator[tuple[int, list[str | None]]]:
    """A program that answers everything with `body`: its port, and the keys that it got."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, keys
        server.shutdown()
        thread.join()


def test_one_that_answers_at_the_configured_port_is_used() -> None:
    with answering(b'{"engine": "ok"}') as (port, keys):
        config = Config(port=port, host="0.0.0.0", api_key=("mine", "other"))
        assert find_server(None, config, {}) == ServerAddress(f"http://127.0.0.1:{port}", "mine")
        assert find_server("none", config, {}) is None
        asked = find_server(f"http://localhost:{port}/", config, {"SPEECHMLX_API_KEY": "given"})
        assert asked == ServerAddress(f"http://localhost:{port}", "given")
        assert asked.headers == {"Authorization": "Bearer given"}
        unkeyed = find_server(f"http://127.0.0.1:{port}", config, {})
        assert unkeyed is not None and unkeyed.headers == {}
    assert keys == [None] * 3  # a key is not told before it is known who answers


@pytest.mark.parametrize("body", [b"hello", b"{}", b"[1]"])
def test_another_program_is_not(body: bytes) -> None:
    with answering(body) as (port, _):
        assert find_server(None, Config(port=port), {}) is None
        with pytest.raises(Unavailable, match=r"no audio-server answers at .*: what answers there is another program"):
            find_server(f"http://127.0.0.1:{port}", Config(), {})


def test_without_a_server_there_is_none() -> None:
    with answering(b"") as (port, _):
        pass
    assert find_server(None, Config(port=port), {}) is None
    assert find_server(None, Config(port=0), {}) is None
    with pytest.raises(Unavailable, match=f"no audio-server answers at http://127.0.0.1:{port}: .*refused"):
        find_server(f"http://127.0.0.1:{port}", Config(), {})


@pytest.mark.parametrize("text", ["here", "ftp://a", "http://", "http://a:x", "http://a:99999", "http://[a"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is not the address of a server; write it like http"):
        checked_url(text)


def test_addresses_of_the_own_server() -> None:
    assert own_server(Config(host="::", port=1), None).url == "http://[::1]:1"
    secure = own_server(Config(host="10.0.0.1", port=1, tls_self_signed=True), None)
    assert secure.url == "https://10.0.0.1:1" and secure.context is not None
