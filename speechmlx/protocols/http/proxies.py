"""Requests that come through a proxy: whose they are, by the header that the proxy writes."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER = "x-forwarded-for"
"""Each proxy adds the address that it was asked from at the end. Forwarded (RFC 7239) is not read as well: a client
could send the one of the two that its proxy does not write."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """Middleware: a request from one of the `proxies` (addresses or networks) is of the client that it names."""

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self._app = app
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxies and scope["type"] != "lifespan":
            host, port = scope.get("client") or ("", 0)
            named = ",".join(Headers(scope=scope).getlist(HEADER))
            scope = {**scope, "client": (self._client(host, named), port)}
        await self._app(scope, receive, send)

    def _client(self, peer: str, named: str) -> str:
        """The address of the client: the last one in `named` that is no trusted proxy.

        What stands before it was written by somebody who is not trusted. It is the last proxy that said something
        else than an address, and the first of all where only proxies are named.
        """
        client = peer
        while self._is_trusted(client):
            named, _, last = named.rpartition(",")
            found = address(last)
            if found is None:
                break
            client = str(found)
        return client

    def _is_trusted(self, text: str) -> bool:
        found = address(text)
        return found is not None and any(found in proxy for proxy in self._proxies)


def address(text: str) -> Address | None:
    """An IP address as proxies write it, also with a port, in brackets, or IPv4 inside of IPv6; None for others."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
