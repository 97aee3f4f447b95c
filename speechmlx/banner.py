"""The lines printed at start: the URL of the page, the models, and who can reach the server."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.config import Config
from speechmlx.models import store
from speechmlx.models.spec import Catalog

PROBE_ADDRESSES = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses reserved for documentation. Nothing is sent to them."""


@dataclass(frozen=True)
class Door:
    """A listening socket. `name`: the protocol that takes precedence on it, or ""."""

    listener: socket.socket
    name: str
    scheme: str = "http"

    @property
    def url(self) -> str:
        """URL for clients on this machine, also if the socket listens on all addresses."""
        if self._address.is_unspecified:
            return self._url("127.0.0.1" if self._address.version == 4 else "::1")
        return self._url(str(self._address))

    @property
    def outside(self) -> str | None:
        """URL for other machines; None if only this machine can connect."""
        if self._address.is_loopback:
            return None
        if not self._address.is_unspecified:
            return self.url
        return self._url(_own_address(self.listener.family) or socket.gethostname())

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(self.listener.getsockname()[0])

    def _url(self, host: str) -> str:
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.listener.getsockname()[1]}"


def banner(doors: Sequence[Door], config: Config, catalog: Catalog, wyoming: Door | None = None) -> list[str]:
    """The lines before "Ready". Programs read the address after "Starting server on" to learn the port.

    `wyoming` is the socket for Home Assistant.
    """
    lines = [
        f"Starting server on {doors[0].url} - open it in a browser",
        f"Models: {_models(config, catalog)}",
        f"Docs: {doors[0].url}/docs",
        f"Log: on standard error, from level {config.log_level}",
    ]
    lines[1:1] = [f"Also on {door.url}{f' for {door.name}' if door.name else ''}" for door in doors[1:]]
    if wyoming is not None:
        lines.insert(len(doors), f"Wyoming on {wyoming.url} for Home Assistant")
    if outside := [door.outside for door in doors if door.outside]:
        how = "with the API key, which is sent in the clear" if config.api_key else "without a password"
        lines.append(f"Open to the network: anybody who reaches {' or '.join(outside)} can use this server, {how}")
    if wyoming is not None and wyoming.outside:
        lines.append(
            f"Open to the network: Wyoming has no keys, so anybody who reaches {wyoming.outside} can use its models"
        )
    return lines


def _models(config: Config, catalog: Catalog) -> str:
    """The default models: those in the cache folder, and those that must be fetched, with sizes in MB."""
    cache = store.cache_folder(config)
    rows = [row for row in (catalog.default(kind, config) for kind in catalog.kinds(config)) if row.runnable]
    here = [row.name for row in rows if store.folder(row, cache) is not None]
    missing = [f"{row.name} ({row.size / 1e6:.0f} MB)" for row in rows if row.name not in here]
    parts = [f"{', '.join(here)} here"] if here else []
    parts += [f"{', '.join(missing)} fetched when first used"] if missing else []
    return "; ".join(parts) or "none"


def _own_address(family: int) -> str | None:
    """This machine's address on the network of its default route; None if it has none."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((PROBE_ADDRESSES[socket.AddressFamily(family)], 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
