"""Who a request comes from: the holder of a key or an address, and the page that a browser showed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from speechmlx.key_file import NamedKey
from speechmlx.protocols.http.access_keys import KEY

IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell clients apart: a household has all that follow."""
MAX_ORIGIN = 200


@dataclass(frozen=True)
class Client:
    """One client. `name` is unlike that of others: of a key, an address or a network."""

    name: str
    key: NamedKey | None = None
    is_local: bool = False
    """Whether it is on this machine."""
    origin: str | None = None
    """The origin of its page; None for programs."""


_current: ContextVar[Client | None] = ContextVar("speechmlx.client", default=None)


def current_client() -> Client | None:
    """The client whose request the running task works on; None outside of one."""
    return _current.get()


@contextmanager
def working_for(client: Client) -> Iterator[None]:
    """What runs in the block, and the tasks that it starts, work for `client`."""
    token = _current.set(client)
    try:
        yield
    finally:
        _current.reset(token)


def client_of(scope: Scope) -> Client:
    """The client of a request or a socket."""
    origin, key = Headers(scope=scope).get("origin"), scope.get(KEY)
    client = client_at((scope.get("client") or ("",))[0])
    name = client.name if key is None else f"key {key.name}"
    return Client(name, key, client.is_local, origin and origin[:MAX_ORIGIN])


def client_at(address: str) -> Client:
    """The client at an IP address. What is no IP address is on this machine."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return Client("this machine", is_local=True)
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return Client("this machine", is_local=True)
    if ip.version == 6:
        return Client(f"address {ipaddress.ip_network((ip, IPV6_NETWORK), strict=False)}")
    return Client(f"address {ip}")
