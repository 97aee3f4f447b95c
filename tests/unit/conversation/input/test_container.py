"""A container's samples reach the event loop in order, and only as fast as they are taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.encoded_audio import encode

from speechmlx.conversation.input import container
from speechmlx.conversation.input.container import ContainerInput
from speechmlx.errors import TooLarge

if TYPE_CHECKING:
    from speechmlx.types import Samples


async def test_a_decoder_waits_for_who_takes_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_DECODED", 0.5)
    taking, pieces = asyncio.Event(), list[int]()

    async def take(samples: Samples) -> None:
        await taking.wait()
        pieces.append(len(samples))

    stream = ContainerInput(16000, None, take)
    await stream.push(encode("flac", "flac", "mono"))
    await asyncio.sleep(0.1)
    assert 0 < stream._samples.waiting < 16000
    taking.set()
    await stream.settle()
    assert sum(pieces) > 16000  # a FLAC decoder keeps some frames back until it has seen more
    await stream.finish()
    assert sum(pieces) == 32000


async def test_samples_that_nobody_takes_stop_the_container() -> None:
    async def take(samples: Samples) -> None:
        raise TooLarge("full")

    stream, data = ContainerInput(16000, None, take), encode("flac", "flac", "mono")
    await stream.push(data)
    with pytest.raises(TooLarge):
        await stream.settle()
    with pytest.raises(TooLarge):
        await stream.push(data)
    await stream.close()
