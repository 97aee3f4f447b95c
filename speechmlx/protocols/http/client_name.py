"""Whom a request or a socket comes from: the client that has turns and places."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.runtime.front.client import Client, current

NETWORK = 64
"""Bits of an IPv6 address that name a client: one machine may have all of the others."""


def client_at(address: str, port: int, origin: str = "") -> Client:
    """The client at an address. `origin`: of the web page that it shows.

    On this machine each connection has turns of its own, and only pages share places. Elsewhere an address does both.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return Client(address, origin)
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return Client(f"{found} {port}", origin)
    name = str(ip_network((found, NETWORK), strict=False)) if isinstance(found, IPv6Address) else str(found)
    return Client(name, name)


class ClientNames:
    """Middleware: tells everything that works for a request or a socket whom it works for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        address, port = scope.get("client") or ("", 0)
        token = current.set(client_at(address, port, Headers(scope=scope).get("origin", "")))
        try:
            await self._app(scope, receive, send)
        finally:
            current.reset(token)
