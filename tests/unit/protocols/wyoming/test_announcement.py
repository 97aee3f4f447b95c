"""The announcement on the network, heard by zeroconf itself on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from speechmlx.protocols.wyoming import announcement as module
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


async def test_it_follows_the_network(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    looks: list[list[str]] = [[], [], ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"]]
    monkeypatch.setattr(module, "_own_addresses", lambda family: looks.pop(0) if len(looks) > 1 else looks[0])
    monkeypatch.setattr(module, "LOOK", 0.01)
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        announcement = Announcement(everywhere)
        announcement.begin()
        async with asyncio.timeout(30):
            while len(said := [r.getMessage() for r in caplog.records if "announced as" in r.getMessage()]) < 2:
                await asyncio.sleep(0.02)
        await announcement.end()
    assert [line.partition(" at ")[2].partition(", port")[0] for line in said] == ["127.0.0.1", "127.0.0.1, 127.0.0.2"]


async def test_it_is_tried_again_and_its_failure_told_once(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    network = AsyncZeroconf
    tries = []

    def refuse(*arguments: object, **options: object) -> AsyncZeroconf:
        tries.append(arguments)
        if len(tries) < 4:
            raise OSError("no multicast here")
        return network(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("zeroconf.asyncio.AsyncZeroconf", refuse)
    monkeypatch.setattr(module, "LOOK", 0.01)
    announcement = Announcement(listener)
    announcement.begin()
    async with asyncio.timeout(30):
        while "announced as" not in caplog.text:
            await asyncio.sleep(0.02)
    await announcement.end()
    assert caplog.text.count("no multicast here") == 1


async def test_a_look_that_fails_is_told_and_not_the_last(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failures = [OSError("too many open files")] * 3

    def looked(family: int) -> list[str]:
        if failures:
            raise failures.pop()
        return ["127.0.0.1"]

    monkeypatch.setattr(module, "_own_addresses", looked)
    monkeypatch.setattr(module, "LOOK", 0.01)
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        announcement = Announcement(everywhere)
        announcement.begin()
        async with asyncio.timeout(30):
            while "announced as" not in caplog.text:
                await asyncio.sleep(0.02)
        await announcement.end()
    assert caplog.text.count("too many open files") == 1


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
