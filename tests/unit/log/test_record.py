"""What is gathered of a request: by every task that works on it, and by nobody else."""

from __future__ import annotations

import asyncio

from speechmlx.log import RequestRecord, current, note_error, recording
from speechmlx.log.record import MAX_MODELS, MAX_TRANSCRIPT, request_ids


async def test_tasks_that_a_request_starts_find_its_record() -> None:
    async def fail(code: str) -> str:
        await asyncio.sleep(0)
        note_error(code)
        return request_ids()

    async def serve(id: str) -> RequestRecord:
        with recording(RequestRecord(id)) as record:
            assert await asyncio.create_task(fail(f"{id} failed")) == id
            assert await asyncio.to_thread(request_ids) == id
        return record

    records = await asyncio.gather(serve("a"), serve("b"))
    assert [(record.error, record.errors) for record in records] == [("a failed", 1), ("b failed", 1)]
    note_error("of nobody")
    assert current() is None and request_ids() == ""


def test_models_and_sound_are_added_up() -> None:
    record = RequestRecord("a")
    for n in range(100):
        record.use(f"model-{n % 30}")
        record.made(0.5)
    assert record.models == [f"model-{n}" for n in range(MAX_MODELS)]
    assert record.audio_out == 50 and record.first_audio is not None and record.first_audio < 5


def test_transcripts_are_kept_only_where_they_are_logged_and_bounded() -> None:
    silent, open_ = RequestRecord("a"), RequestRecord("b", with_transcript=True)
    for record in (silent, open_):
        record.heard(" one")
        record.heard(" two")
    assert silent.transcript is None and open_.transcript == "one two"
    for _ in range(100):
        open_.heard("x" * 1000)
    assert open_.transcript is not None and len(open_.transcript) == MAX_TRANSCRIPT - 1
