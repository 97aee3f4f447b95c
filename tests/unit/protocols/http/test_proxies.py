"""Whose a request is that comes through proxies."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from speechmlx.protocols.http.clients import client_of
from speechmlx.protocols.http.proxies import TrustedProxies, address

PROXIES = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]


async def seen(peer: str | None, *named: str, proxies: list[str] = PROXIES, kind: str = "http") -> Scope:
    """The scope behind the middleware."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def nothing(*_: object) -> None:
        raise AssertionError

    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in named]
    client = None if peer is None else (peer, 4711)
    asked = {"type": kind, "client": client, "headers": headers}
    await TrustedProxies(app, proxies)(asked, nothing, nothing)  # type: ignore[arg-type]
    return found[0]


@pytest.mark.parametrize(
    ("peer", "named", "client"),
    [
        ("127.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours: anybody can write that
        ("127.0.0.1", ["127.0.0.1, 203.0.113.5"], "203.0.113.5"),  # what the client wrote itself
        ("127.0.0.1", ["198.51.100.1, 203.0.113.5, 10.1.2.3"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.5", "10.1.2.3"], "203.0.113.5"),
        ("::ffff:127.0.0.1", ["203.0.113.5:5555"], "203.0.113.5"),
        ("127.0.0.1", ['"[2001:db8::7]:443"'], "2001:db8::7"),
        ("127.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("fd00::1", ["::ffff:203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", ["10.0.0.7, 10.0.0.8"], "10.0.0.7"),  # a client in the network of the proxies
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.5, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.5, _hidden, 10.0.0.8"], "10.0.0.8"),
        ("127.0.0.1", ["203.0.113.5,"], "127.0.0.1"),
        ("127.0.0.1", ["a\xff, \xb2"], "127.0.0.1"),
        ("testclient", ["203.0.113.5"], "testclient"),
    ],
)
async def test_the_last_address_that_is_no_proxy_is_the_clients(peer: str, named: list[str], client: str) -> None:
    for kind in ("http", "websocket"):
        assert (await seen(peer, *named, kind=kind))["client"] == (client, 4711)


async def test_without_proxies_nothing_is_read() -> None:
    assert (await seen("127.0.0.1", "203.0.113.5", proxies=[]))["client"] == ("127.0.0.1", 4711)
    assert (await seen(None, "203.0.113.5"))["client"] == ("", 0)


async def test_clients_of_a_proxy_on_this_machine_are_told_apart() -> None:
    names = [client_of(await seen("127.0.0.1", address)) for address in ("203.0.113.5", "2001:db8::7", "127.0.0.1")]
    assert [(client.name, client.is_local) for client in names] == [
        ("address 203.0.113.5", False),
        ("address 2001:db8::/64", False),
        ("this machine", True),
    ]


async def test_a_long_header_takes_no_time() -> None:
    """Of 64 KiB, which is what a request's head may have."""
    assert (await seen("127.0.0.1", "10.0.0.1," * 7000 + "10.0.0.1"))["client"] == ("10.0.0.1", 4711)
    assert (await seen("127.0.0.1", "," * 65536))["client"] == ("127.0.0.1", 4711)


@pytest.mark.parametrize("text", ["", "unknown", "1.2.3", "1.2.3.4.5", "for=1.2.3.4", "1.2.3.4:a:b", "[", "[]", "²"])
def test_what_is_no_address(text: str) -> None:
    assert address(text) is None
