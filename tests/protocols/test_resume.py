"""Clients of every live wire whose connection breaks, and who come back: each word once and in order."""

from __future__ import annotations

import asyncio

import pytest
from protocols.conftest import Server
from support.cut_proxy import cut_proxy
from support.live_wires import RATE, SOCKETS
from support.resuming import resuming
from support.scripted_conversation import tone, words

PIECE = 3200
"""Bytes of 0.1 s of audio."""


def spoken(*seconds: float) -> bytes:
    return b"".join(tone(one, rate=RATE) + tone(1.0, level=0.0, rate=RATE) for one in seconds)


def said(*seconds: float) -> list[str]:
    return " ".join(words(one) for one in seconds).split()


def lowered(found: list[str]) -> list[str]:
    return [word.strip(".,!?").lower() for word in found]


@pytest.mark.parametrize("wire", SOCKETS)
async def test_each_word_once_when_the_connection_breaks_in_mid_speech(listening: Server, wire: str) -> None:
    """Three times: between messages, and with what was on its way in both directions."""
    audio = spoken(1.2, 0.9, 1.0)
    async with cut_proxy(listening.url) as proxy, resuming(wire, proxy.url) as one:
        for place in range(0, len(audio), PIECE):
            await one.client.send(audio[place : place + PIECE])
            await asyncio.sleep(0.01)
            if place // PIECE in (19, 27, 44):
                proxy.swallow()
            if place // PIECE in (5, 22, 33, 46):
                proxy.cut()
                await one.come_back()
        assert lowered(await one.client.finish()) == said(1.2, 0.9, 1.0)
        assert not one.client.failures and len(one.line.greetings) == 4
