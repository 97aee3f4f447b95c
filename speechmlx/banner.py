"""The lines printed at start: the URL of the page, the models, and who can reach the server."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.certificate import Certificate, own_address
from speechmlx.config import LISTEN, Config
from speechmlx.errors import BadRequest
from speechmlx.models import store
from speechmlx.models.spec import Catalog, profile
from speechmlx.types import Kind


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
        return self._url(own_address(self.listener.family) or socket.gethostname())

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.ip_address(self.listener.getsockname()[0])

    def _url(self, host: str) -> str:
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.listener.getsockname()[1]}"


def banner(
    doors: Sequence[Door], config: Config, catalog: Catalog, wyoming: Door | None = None, tls: Certificate | None = None
) -> list[str]:
    """The lines before "Ready". Programs read the address after "Starting server on" to learn the port.

    `wyoming` is the socket for Home Assistant, `tls` the certificate of the others.
    """
    lines = [
        f"Starting server on {doors[0].url} - open it in a browser",
        f"Models: {_models(config, catalog)}",
        f"Docs: {doors[0].url}/docs",
        f"Log: {config.log_file or 'on standard error'}, from level {config.log_level}",
    ]
    if config.languages:
        lines.insert(2, f"Languages: {_languages(config, catalog)}")
    lines[1:1] = [f"Also on {door.url}{f' for {door.name}' if door.name else ''}" for door in doors[1:]]
    if wyoming is not None:
        lines.insert(len(doors), f"Wyoming on {wyoming.url} for Home Assistant")
    if outside := [door.outside for door in doors if door.outside]:
        clear = "" if tls else ", which is sent in the clear"
        how = f"with an API key{clear}" if needs_key(config) else "without a password"
        lines.append(f"Open to the network: anybody who reaches {' or '.join(outside)} can use this server, {how}")
    if tls is not None and tls.self_signed:
        lines.append(f"TLS: self-signed certificate {tls.cert}, SHA-256 {tls.fingerprint}")
    if wyoming is not None and wyoming.outside:
        lines.append(
            f"Open to the network: Wyoming has no keys, so anybody who reaches {wyoming.outside} can use its models"
        )
    return lines


def needs_key(config: Config) -> bool:
    """Whether clients must send a key."""
    return bool(config.api_key) or (config.key_file is not None and config.key_file.exists())


def check_keys(doors: Sequence[Door], config: Config, wyoming: Door | None) -> None:
    """Raises BadRequest where `require_key` is set and another machine can use the server without a key."""
    if not config.require_key:
        return
    if not needs_key(config) and (outside := [door.outside for door in doors if door.outside]):
        raise BadRequest(
            f"--require-key: {outside[0]} is open to the network, and there is no key; make one with `audio-server "
            "key add NAME`, or listen on 127.0.0.1 alone"
        )
    if wyoming is not None and wyoming.outside:
        raise BadRequest(
            f"--require-key: Wyoming at {wyoming.outside} is open to the network and its protocol has no keys; "
            "listen on 127.0.0.1 alone, or leave out --require-key"
        )


def _languages(config: Config, catalog: Catalog) -> str:
    """What people speak, and which recognisers that chose."""
    names = ", ".join(config.languages)
    roles = {Kind.ASR: "", LISTEN: " for live words", Kind.ALIGN: " for the times of words"}
    chosen = [f"{name}{roles[kind]}" for kind, name in catalog.by_languages(config).items()]
    if chosen:
        return f"{names}, so {', '.join(chosen)}"
    who = "the settings" if Kind.ASR in config.models else f"the profile {profile(config)}"
    return f"{names}; {who} took {catalog.default(Kind.ASR, config).name} without asking for them"


def _models(config: Config, catalog: Catalog) -> str:
    """The default models: those in the cache folder, and those that must be fetched, with sizes in MB."""
    cache = store.cache_folder(config)
    rows = [row for row in catalog.defaults(config) if row.runnable]
    here = [row.name for row in rows if store.folder(row, cache) is not None]
    missing = [f"{row.name} ({row.size / 1e6:.0f} MB)" for row in rows if row.name not in here]
    parts = [f"{', '.join(here)} here"] if here else []
    parts += [f"{', '.join(missing)} fetched when first used"] if missing else []
    return "; ".join(parts) or "none"
