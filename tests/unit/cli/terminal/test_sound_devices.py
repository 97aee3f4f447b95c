"""The microphone and the loudspeaker, with a PortAudio that the test drives."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from speechmlx.cli.terminal import sound_devices
from speechmlx.cli.terminal.sound_devices import SILENT_BLOCKS, Loudspeaker, Microphone
from speechmlx.errors import Unavailable

RATE = 1000


class PortAudio:
    """Stands for the module sounddevice: its streams are driven by `call`."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.call: Callable[..., None] = lambda *_: None
        self.state = ""
        self.error = ""

    def RawInputStream(
        self, samplerate: int, channels: int, dtype: str, callback: Any, blocksize: int = 0
    ) -> PortAudio:
        if self.error:
            raise self.PortAudioError(self.error)
        assert (samplerate, channels, dtype) == (RATE, 1, "int16")
        self.call = callback
        return self

    RawOutputStream = RawInputStream

    def start(self) -> None:
        self.state = "started"

    def stop(self) -> None:
        self.state = "stopped"

    def close(self) -> None:
        self.state = "closed"


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> PortAudio:
    made = PortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


async def test_the_microphone_gives_its_blocks_until_it_is_closed(library: PortAudio) -> None:
    microphone = Microphone(RATE)
    with microphone.open():
        for block in (b"ab", b"cd"):
            library.call(memoryview(block), 1, None, None)
        await asyncio.sleep(0)
        microphone.close()
        assert [block async for block in microphone] == [b"ab", b"cd"]
    assert library.state == "closed"


@pytest.mark.parametrize(("platform", "says"), [("darwin", "Privacy & Security > Microphone"), ("linux", "silence\n")])
async def test_a_microphone_that_is_silent_is_told_once(
    library: PortAudio,
    platform: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with Microphone(RATE).open():
        for _ in range(3 * SILENT_BLOCKS):
            library.call(bytes(4), 2, None, None)
        await asyncio.sleep(0)
    told = capsys.readouterr().err
    assert told.count("gives nothing but silence") == 1 and says in told


async def test_a_microphone_that_hears_is_not(library: PortAudio, capsys: pytest.CaptureFixture[str]) -> None:
    with Microphone(RATE).open():
        library.call(b"ab", 1, None, None)
        for _ in range(2 * SILENT_BLOCKS):
            library.call(bytes(4), 2, None, None)
        await asyncio.sleep(0)
    assert capsys.readouterr().err == ""


async def test_what_nobody_takes_is_bounded(
    library: PortAudio, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sound_devices, "MAX_WAITING", 2)
    microphone = Microphone(RATE)
    with microphone.open():
        for block in (b"ab", b"cd", b"ef", b"gh"):
            library.call(block, 1, None, None)
        await asyncio.sleep(0)
        microphone.close()
        assert [block async for block in microphone] == [b"ab", b"cd"]
    assert capsys.readouterr().err.count("some of what the microphone hears is lost") == 1


async def test_the_loudspeaker_plays_what_waits_and_then_silence(library: PortAudio) -> None:
    speaker = Loudspeaker(RATE)
    with speaker.open():
        speaker.add(b"abcd")
        await speaker.play(b"ef")
        assert speaker.busy
        drained = asyncio.create_task(speaker.drained())
        outs = []
        for _ in range(3):
            out = bytearray(4)
            library.call(out, 2, None, None)
            outs.append(bytes(out))
            await asyncio.sleep(0)
        assert outs == [b"abcd", b"ef\0\0", bytes(4)]
        await asyncio.wait_for(drained, 1)
        assert not speaker.busy
    assert library.state == "closed"


async def test_the_loudspeaker_is_not_far_behind_and_can_be_cleared(
    library: PortAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_devices, "AHEAD_SECONDS", 0.001)
    speaker = Loudspeaker(RATE)
    with speaker.open():
        playing = asyncio.create_task(speaker.play(b"abcdef"))
        await asyncio.sleep(0.01)
        assert not playing.done()
        speaker.clear()
        await asyncio.wait_for(playing, 1)
        out = bytearray(b"xx")
        library.call(out, 1, None, None)
        assert bytes(out) == bytes(2)


async def test_what_cannot_be_opened_is_told(library: PortAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    library.error = "no device"
    with pytest.raises(Unavailable, match=r"the loudspeaker cannot be opened: no device$"), Loudspeaker(RATE).open():
        pass
    monkeypatch.setattr(sys, "platform", "darwin")
    with (
        pytest.raises(Unavailable, match="opened: no device; System"),
        Microphone(RATE).open(),
    ):
        pass
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(Unavailable, match="PortAudio was not found"), Microphone(RATE).open():
        pass
