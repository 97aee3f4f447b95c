"""Fetching for clients: what is public, what is refused, redirects, limits; against a real web server."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import ifaddr
import pytest

from speechmlx.errors import BadRequest, Busy, TooLarge
from speechmlx.protocols.http import url_fetch
from speechmlx.protocols.http.url_fetch import Permitted, UrlFetcher, check_url, is_elsewhere, is_public

SOUND = bytes(range(256)) * 1000


class Site(BaseHTTPRequestHandler):
    """Files, redirects, and answers that never end."""

    def log_message(self, format: str, *values: object) -> None:
        pass

    came: ClassVar[list[tuple[str, str, str, bytes]]] = []
    """Method, path, content type and body of what was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hangs-up":
            return
        if self.path.startswith("/to/"):
            self._head(302, Location="/done")
        elif self.path == "/refused":
            self._head(500)
        else:
            self.came.append((self.command, self.path, self.headers["Content-Type"], body))
            self._head(204)

    do_PUT = do_POST

    def do_GET(self) -> None:
        path = self.path
        if path.startswith("/to/"):
            self._head(302, Location=path.removeprefix("/to/"))
        elif path == "/again":
            self._head(307, Location="/again")
        elif path == "/sound?x=%20":
            self._head(200)
            self.wfile.write(SOUND)
        elif path == "/slow":
            self._head(200)
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.1)
        elif path == "/short":
            self._head(200, **{"Content-Length": "100000"})
            self.wfile.write(bytes(1000))
        elif path == "/announced":
            self._head(200, **{"Content-Length": str(len(SOUND))})
            self.wfile.write(SOUND)
        else:
            self._head(404)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def anyone(address: str) -> bool:
    return True


async def fetch(url: str, file: io.BytesIO, limit: int, permitted: Permitted = is_public) -> None:
    fetches = UrlFetcher(permitted)
    try:
        await fetches.fetch(url, file, limit)
    finally:
        fetches.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("2001:db8::1", False),
        ("::127.0.0.1", False),
        ("::8.8.8.8", False),
        ("::ffff:0:127.0.0.1", False),
        ("::ffff:0:8.8.8.8", False),
        ("fec0::1", False),
        ("64:ff9b:1::7f00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_the_own_networks_are_not_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert any(ipaddress.ip_address("127.0.0.1") in network for network in url_fetch.own_networks())
    adapters = [
        ifaddr.Adapter(
            "en0", "en0", [ifaddr.IP(("2a02:8106:1:2::5", 0, 4), 64, "en0"), ifaddr.IP("9.9.9.1", 24, "en0")]
        )
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    found = {
        address: is_elsewhere(address) for address in ("2a02:8106:1:2::9", "2a02:8106:1:3::9", "9.9.9.9", "8.8.8.8")
    }
    assert found == {"2a02:8106:1:2::9": False, "2a02:8106:1:3::9": True, "9.9.9.9": False, "8.8.8.8": True}
    assert not is_elsewhere("10.0.0.1")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/a.wav", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("a.wav", "http or https"),
        ("http://", "http or https"),
        ("http://name:word@127.0.0.1/", "user name or password"),
        ("http://127.0.0.1:99999/", "no address"),
        ("http://127.0.0.1/a b", "blanks|ASCII"),
        ("http://127.0.0.1/\r\nX: y", "no address|blanks|ASCII|not public"),
        ("http://[::1]/", "not public"),
        ("http://localhost/", "not public"),
        ("http://2130706433/", "not public"),
        ("http://0x7f.1/", "not public"),
        ("http://127.1:80/", "not public"),
        ("http://name.invalid/", "not known"),
        ("http://" + "a" * 70 + ".org/", "not known"),
    ],
)
async def test_addresses_that_are_refused(url: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        await fetch(url, io.BytesIO(), 1000)


async def test_what_is_there_is_fetched_over_redirects_too(site: str) -> None:
    for start in (site, f"{site}/to/{site}", f"{site}/to/{site}/to/"):
        file = io.BytesIO()
        await fetch(f"{start}/sound?x=%20", file, len(SOUND), anyone)
        assert file.getvalue() == SOUND


async def test_a_redirect_to_a_private_address_is_refused(site: str) -> None:
    asked: list[str] = []

    def once(address: str) -> bool:
        asked.append(address)
        return len(asked) == 1

    with pytest.raises(BadRequest, match="not public"):
        await fetch(f"{site}/to/{site}/sound?x=%20", io.BytesIO(), 10**6, once)
    assert len(asked) == 2


async def test_limits(site: str) -> None:
    with pytest.raises(TooLarge, match="1000 bytes"):
        await fetch(f"{site}/sound?x=%20", io.BytesIO(), 1000, anyone)
    with pytest.raises(BadRequest, match="redirected more than 5 times"):
        await fetch(f"{site}/again", io.BytesIO(), 1000, anyone)
    with pytest.raises(BadRequest, match="answered 404"):
        await fetch(f"{site}/nothing", io.BytesIO(), 1000, anyone)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(BadRequest, match="could not be reached"):
            await fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/", io.BytesIO(), 1000, anyone)


async def test_a_download_that_breaks_off_is_no_download(site: str) -> None:
    with pytest.raises(BadRequest, match="broke off after 1000 of 100000 bytes"):
        await fetch(f"{site}/short", io.BytesIO(), 10**6, anyone)
    file = io.BytesIO()
    await fetch(f"{site}/announced", file, 10**6, anyone)
    assert file.getvalue() == SOUND


async def test_a_redirect_to_no_address(site: str) -> None:
    with pytest.raises(BadRequest, match="no address"):
        await fetch(f"{site}/to/http://[", io.BytesIO(), 1000, anyone)


async def test_more_than_there_is_room_for_are_refused_and_hold_up_nothing_else(site: str) -> None:
    """Names that take long to resolve, here held until a later question, keep their threads and no others."""
    answer = threading.Event()

    def slowly(address: str) -> bool:
        return answer.wait(30)

    fetches = UrlFetcher(slowly, most=2)
    waiting = [asyncio.create_task(fetches.fetch(f"{site}/announced", io.BytesIO(), 10**6)) for _ in range(2)]
    await asyncio.sleep(0)  # they have begun
    with pytest.raises(Busy, match="too many recordings are being fetched") as busy:
        await fetches.fetch(f"{site}/announced", io.BytesIO(), 10**6)
    assert busy.value.retry_after
    assert await asyncio.gather(*(asyncio.to_thread(lambda: 1) for _ in range(40))) == [1] * 40
    answer.set()
    await asyncio.gather(*waiting)
    await fetches.fetch(f"{site}/announced", io.BytesIO(), 10**6)
    fetches.close()


async def test_given_up_while_it_connects_it_asks_for_nothing(site: str) -> None:
    answer, begun = threading.Event(), threading.Event()

    def slowly(address: str) -> bool:
        begun.set()
        return answer.wait(30)

    fetches, file = UrlFetcher(slowly, most=1), io.BytesIO()
    fetching = asyncio.create_task(fetches.fetch(f"{site}/announced", file, 10**6))
    await asyncio.to_thread(begun.wait, 30)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    with pytest.raises(Busy):  # its thread still waits
        await fetches.fetch(f"{site}/announced", io.BytesIO(), 10**6)
    answer.set()
    await asyncio.to_thread(fetches.close, wait=True)
    assert file.getvalue() == b""


async def test_it_does_not_wait_for_ever(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.protocols.http.url_fetch.SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(BadRequest, match=r"more than 0.5 seconds"):
        await fetch(f"{site}/slow", io.BytesIO(), 1000, anyone)
    assert time.monotonic() - began < 3


async def test_cancelled_it_hangs_up(site: str) -> None:
    file = io.BytesIO()
    fetching = asyncio.create_task(fetch(f"{site}/slow", file, 1000, anyone))
    await asyncio.sleep(0.5)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await asyncio.sleep(0.3)
    came = len(file.getvalue())
    await asyncio.sleep(0.4)
    assert 0 < came == len(file.getvalue())


async def send(url: str, permitted: Permitted = anyone, method: str = "POST") -> None:
    fetches = UrlFetcher(permitted)
    try:
        await fetches.send(url, b'{"a": 1}', method, {"Content-Type": "application/json"})
    finally:
        fetches.close()


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_result_is_sent(site: str, method: str) -> None:
    Site.came.clear()
    await send(f"{site}/done?x=1", method=method)
    assert Site.came == [(method, "/done?x=1", "application/json", b'{"a": 1}')]


@pytest.mark.parametrize(
    ("path", "says"),
    [("/refused", "answered 500"), ("/to/done", "answered 302"), ("/hangs-up", "could not be reached")],
)
async def test_an_address_that_does_not_take_a_result(site: str, path: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        await send(site + path)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost:1/", "http://169.254.169.254/latest"])
async def test_results_go_to_public_addresses_only(url: str) -> None:
    with pytest.raises(BadRequest, match="is not public"):
        await send(url, is_public)


def test_a_url_is_checked_under_its_own_name() -> None:
    with pytest.raises(BadRequest, match="'callback' must be an http or https address"):
        check_url("ftp://example.org", "callback")
    assert check_url("https://example.org/a", "callback").hostname == "example.org"
