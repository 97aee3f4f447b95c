"""How a verb ends: exit codes, and two tasks of which one fails."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
import typer

from speechmlx.cli.terminal.running import exits, feed_and_read, on_interrupt, run
from speechmlx.errors import BadAudio, EngineFailed, SpeechError


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (BadAudio("no audio"), 2, "audio-server: no audio\n"),
        (EngineFailed("lost"), 1, "audio-server: lost\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_exit_codes(error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, exits():
        raise error
    assert left.value.exit_code == code and capsys.readouterr().err == told


@pytest.fixture
def _hears_ctrl_c() -> Iterator[None]:
    """A shell in the background, as in CI, makes its programs ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_ctrl_c")
def test_an_error_that_ctrl_c_brings_about_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(10)
        finally:
            raise EngineFailed("the job was cancelled")

    with pytest.raises(typer.Exit) as left:
        run(work())
    assert left.value.exit_code == 130 and capsys.readouterr().err == ""


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise EngineFailed("it failed")


async def done() -> None:
    pass


async def test_reading_ends_feeding() -> None:
    await asyncio.wait_for(feed_and_read(forever(), done()), 1)


async def test_reading_goes_on_after_all_is_fed() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(feed_and_read(done(), forever()), 0.05)


@pytest.mark.parametrize("feeding_fails", [True, False])
async def test_an_error_of_either_is_raised(feeding_fails: bool) -> None:
    feed, read = (fail(), forever()) if feeding_fails else (forever(), fail())
    with pytest.raises(SpeechError, match="it failed"):
        await asyncio.wait_for(feed_and_read(feed, read), 1)


async def test_the_second_interrupt_is_not_caught() -> None:
    before, calls = signal.getsignal(signal.SIGINT), list[str]()
    with on_interrupt(lambda: calls.append("first")):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.05)
        assert calls == ["first"] and signal.getsignal(signal.SIGINT) is before
    with on_interrupt(lambda: calls.append("second")):
        pass
    assert signal.getsignal(signal.SIGINT) is before and calls == ["first"]
