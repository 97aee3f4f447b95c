"""The announcement on the local network (mDNS, DNS-SD) by which Home Assistant finds the server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

log = logging.getLogger(__name__)

SERVICE = "_wyoming._tcp.local."
FAREWELL = 3.0
"""Seconds that an announcement may still take when the server stops, and that the network is told of the end."""
LOOK = 30.0
"""Seconds between two looks at this machine's addresses: a network may come later, or change while it sleeps."""


class Announcement:
    """Announces the bound socket `listener`: on the network of its address, or on all where it listens on all.

    It is made anew when the addresses of this machine change, and tried again where it failed.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._family = listener.family
        address, self._port = listener.getsockname()[:2]
        self._address = None if ipaddress.ip_address(address).is_unspecified else str(address)
        self._ending = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._failure = ""
        """The last one that was told."""

    def begin(self) -> None:
        """Announce beside everything else; the network is asked first whether the name is free."""
        self._working = asyncio.create_task(self._follow())

    async def end(self) -> None:
        """Take the announcement back."""
        if self._working is None:
            return
        self._ending.set()
        await asyncio.wait([self._working], timeout=2 * FAREWELL)  # cancelled half-way, zeroconf leaves sockets open
        self._working.cancel()
        await asyncio.gather(self._working, return_exceptions=True)

    async def _follow(self) -> None:
        """Keep the announcement that of the addresses of now, until the end."""
        network: AsyncZeroconf | None = None
        announced: list[str] = []
        try:
            while not self._ending.is_set():
                try:
                    addresses = [self._address] if self._address else sorted(_own_addresses(self._family))
                    if addresses != announced:
                        gone, network, announced = network, None, []
                        await _withdraw(gone)
                        network = await self._announce(addresses) if addresses else None
                        announced = addresses if network else []
                except Exception as error:
                    self._tell(error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await self._ending.wait()
        finally:
            await _withdraw(network)

    async def _announce(self, addresses: list[str]) -> AsyncZeroconf | None:
        """None where it failed; why is told once."""
        from zeroconf import Error, InterfaceChoice, IPVersion
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        host = socket.gethostname().partition(".")[0]
        version = IPVersion.V6Only if self._family == socket.AF_INET6 else IPVersion.V4Only
        network = None
        try:
            network = AsyncZeroconf([self._address] if self._address else InterfaceChoice.All, ip_version=version)
            info = AsyncServiceInfo(
                SERVICE,
                f"speechmlx {host}.{SERVICE}",
                port=self._port,
                server=f"speechmlx-{host}.local.",  # HOST.local is the system's own
                parsed_addresses=addresses,
            )
            await (await network.async_register_service(info, allow_name_change=True))
        except (Error, OSError) as error:
            self._tell(error)
            if network is not None:
                await network.async_close()
            return None
        except asyncio.CancelledError:
            if network is not None:
                await network.async_close()
            raise
        self._failure = ""
        log.info("announced as %s at %s, port %d", info.name, ", ".join(addresses), self._port)
        return network

    def _tell(self, error: Exception) -> None:
        if repr(error) != self._failure:
            log.warning("Home Assistant cannot find this server by itself: the announcement failed: %s", error)
        self._failure = repr(error)


async def _withdraw(network: AsyncZeroconf | None) -> None:
    if network is None:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await network.async_unregister_all_services()
    await network.async_close()


def _own_addresses(family: int) -> list[str]:
    """This machine's addresses on its networks."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            version = 6 if family == socket.AF_INET6 else 4
            if address.version == version and not address.is_loopback:
                found.append(text)
    return found
