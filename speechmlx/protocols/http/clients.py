"""Who a request comes from: the holder of a key or an address, and the page that a browser showed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from starlette.datastructures import Headers
from starlette.types import Scope

from speechmlx.key_file import NamedKey
from speechmlx.protocols.http.access_keys import KEY
from speechmlx.runtime.front.client import EngineClient
from speechmlx.runtime.front.client import current as client_in_engine

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
    port: int = field(default=0, compare=False)
    """Of its connection."""
    is_charged: bool = True
    """Whether its audio counts; that of a background job counts once, however often it goes on."""

    @cached_property
    def in_engine(self) -> EngineClient:
        """Who has turns and places there. On this machine each connection has turns, and pages alone have places."""
        if self.is_local and self.key is None:
            return EngineClient(f"{self.name} {self.port}", self.origin or "")
        return EngineClient(self.name, "" if self.key else self.name)


_current: ContextVar[Client | None] = ContextVar("speechmlx.client", default=None)


def current_client() -> Client | None:
    """The client whose request the running task works on; None outside of one."""
    return _current.get()


@contextmanager
def working_for(client: Client) -> Iterator[Client]:
    """What runs in the block, and the tasks that it starts, work for `client`."""
    token, turns = _current.set(client), client_in_engine.set(client.in_engine)
    try:
        yield client
    finally:
        _current.reset(token)
        client_in_engine.reset(turns)


def client_of(scope: Scope) -> Client:
    """The client of a request or a socket."""
    origin = Headers(scope=scope).get("origin")
    address, port = scope.get("client") or ("", 0)
    return _client(address, port, origin and origin[:MAX_ORIGIN], scope.get(KEY))


def with_key(client: Client, key: NamedKey | None) -> Client:
    """The client as the holder of a key; None: as it is."""
    return client if key is None else replace(client, name=f"key {key.name}", key=key)


def client_at(address: str, port: int = 0) -> Client:
    """The client at an IP address. What is no IP address is on this machine."""
    name, is_local = _place(address)
    return Client(name, is_local=is_local, port=port)


@lru_cache(256)
def _client(address: str, port: int, origin: str | None, key: NamedKey | None) -> Client:
    """One for all requests of a connection."""
    name, is_local = _place(address)
    return Client(f"key {key.name}" if key else name, key, is_local, origin, port)


@lru_cache(1024)
def _place(address: str) -> tuple[str, bool]:
    """The name of the client at an address, and whether it is on this machine."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "this machine", True
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return "this machine", True
    if ip.version == 6:
        return f"address {ipaddress.ip_network((ip, IPV6_NETWORK), strict=False)}", False
    return f"address {ip}", False
