"""The announcement on the network, heard by zeroconf itself on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from speechmlx.protocols.wyoming.announcement import SERVICE, Announcement


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


async def resolved(name: str) -> AsyncServiceInfo | None:
    """What the loopback network says of a service; None where nobody has it."""
    network = AsyncZeroconf(["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        return await network.async_get_service_info(SERVICE, name, timeout=1500)
    finally:
        await network.async_close()


async def test_the_service_is_found_while_it_is_announced(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    announcement = Announcement(listener)
    announcement.begin()
    async with asyncio.timeout(20):
        while not (said := [r.getMessage() for r in caplog.records if r.getMessage().startswith("announced as")]):
            await asyncio.sleep(0.02)
    name = said[0].removeprefix("announced as ").partition(f".{SERVICE}")[0] + f".{SERVICE}"
    found = await resolved(name)
    await announcement.end()
    assert found is not None
    assert (found.port, found.parsed_addresses()) == (listener.getsockname()[1], ["127.0.0.1"])
    assert await resolved(name) is None


async def test_an_end_before_the_announcement_is_made(listener: socket.socket) -> None:
    announcement = Announcement(listener)
    await announcement.end()
    announcement.begin()
    await asyncio.sleep(0)
    await announcement.end()


async def test_a_network_that_refuses_is_a_warning(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no multicast here")

    monkeypatch.setattr("zeroconf.asyncio.AsyncZeroconf", refuse)
    announcement = Announcement(listener)
    announcement.begin()
    while not caplog.records:
        await asyncio.sleep(0)
    assert "the announcement failed: no multicast here" in caplog.text
    await announcement.end()
