"""RecordingDecoder: what is held in memory at once is bounded, whatever the files hold and however many come."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import AsyncExitStack

import numpy as np
import pytest
import soundfile

from speechmlx.audio import effort
from speechmlx.errors import Busy
from speechmlx.protocols.http.decoding import PACKED_SHARE, SAMPLE_BYTES, SLICE, RecordingDecoder
from speechmlx.types import Audio

RATE = 8000
MINUTES = 10


def bomb() -> io.BytesIO:
    """Ten minutes of silence in next to nothing, and zeros behind it so that it looks like a longer file."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(MINUTES * 60 * 1000, np.int16), 1000, format="FLAC")
    return io.BytesIO(file.getvalue() + bytes(60_000))


async def test_many_small_files_of_many_minutes_are_not_all_held() -> None:
    decoding = RecordingDecoder(64, max_bytes=(2 * MINUTES * 60 + SLICE) * RATE * SAMPLE_BYTES)
    async with AsyncExitStack() as stack:
        works = (decoding.decode(bomb(), RATE, stack) for _ in range(12))
        found = await asyncio.gather(*works, return_exceptions=True)
        audios = [one for one in found if isinstance(one, Audio)]
        refused = [str(one) for one in found if isinstance(one, Busy)]
        assert 1 <= len(audios) <= 2 and len(audios) + len(refused) == 12
        assert all("MB of sound are in memory" in one for one in refused)
        assert all(audio.duration == MINUTES * 60 for audio in audios)
    async with AsyncExitStack() as stack:  # once those are gone there is room again
        assert (await decoding.decode(bomb(), RATE, stack)).duration == MINUTES * 60
    decoding.close()


async def test_what_is_over_the_number_is_refused_before_it_is_decoded() -> None:
    decoding = RecordingDecoder(1)
    async with AsyncExitStack() as stack:
        await decoding.decode(bomb(), RATE, stack)
        never_read = io.BytesIO(b"no audio at all")
        with pytest.raises(Busy, match="1 recordings are under way"):
            await decoding.decode(never_read, RATE, stack)
        assert never_read.tell() == 0
    decoding.close()


async def test_a_long_recording_leaves_asyncios_threads_alone() -> None:
    import threading

    decoding = RecordingDecoder(1)
    names = {await decoding.run(lambda: threading.current_thread().name)}
    names |= {await asyncio.to_thread(lambda: threading.current_thread().name)}
    assert {name.partition("_")[0] for name in names} == {"decoding", "asyncio"}
    decoding.close()


async def test_files_that_hold_next_to_nothing_share_a_part_of_the_memory() -> None:
    """86 KiB of FLAC with half an hour of silence, twelve times at once, took 1.4 GB."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(MINUTES * 60 * 1000, np.int16), 1000, format="FLAC")
    one = MINUTES * 60 * RATE * SAMPLE_BYTES
    decoding = RecordingDecoder(64, max_bytes=one * 2 * PACKED_SHARE)
    async with AsyncExitStack() as stack:
        works = [decoding.decode(io.BytesIO(file.getvalue()), RATE, stack) for _ in range(6)]
        found = await asyncio.gather(*works, return_exceptions=True)
        assert 1 <= sum(isinstance(each, Audio) for each in found) <= 2
        assert sum(isinstance(each, Busy) for each in found) >= 4
        other = await decoding.decode(bomb(), RATE, stack)  # it counts as an ordinary file
        assert other.duration == MINUTES * 60
    alone = RecordingDecoder(64, max_bytes=one + SLICE * RATE * SAMPLE_BYTES)
    async with AsyncExitStack() as stack:
        assert (await alone.decode(file, RATE, stack)).duration == MINUTES * 60
    alone.close()
    decoding.close()


async def test_a_recording_is_not_behind_files_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight files that give no sound take every thread; the ninth is decoded after one turn of each at most."""
    monkeypatch.setattr(effort, "START", 2.0)
    decoding = RecordingDecoder(64)
    async with AsyncExitStack() as stack:
        free = b"\0\0\0\x08free" * (1 << 22)
        works = [asyncio.create_task(decoding.decode(io.BytesIO(free), RATE, stack)) for _ in range(8)]
        await asyncio.sleep(0.5)
        assert (await decoding.decode(bomb(), RATE, stack, span=(0.0, 1.0))).duration == 1.0
        assert not any(work.done() for work in works)
        for work in works:
            work.cancel()
        await asyncio.wait(works)
    began = time.monotonic()
    decoding.close()
    await asyncio.to_thread(decoding._threads.shutdown)
    assert time.monotonic() - began < 2  # nobody waits for them, so they have ended


async def test_a_generator_that_ends_too_early_is_an_error_and_no_hang() -> None:
    """A future cannot hold a StopIteration: who waited for it waited for ever."""
    decoding = RecordingDecoder(1)
    with pytest.raises(RuntimeError, match="no more"):
        await asyncio.wait_for(decoding.run(next, iter(())), 5)
    decoding.close()
