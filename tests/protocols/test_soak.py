"""The short forms of the long tests of tests/soak: kills under load, minutes of a stream, faults of the machine."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from protocols.conftest import serve
from soak import faults, kills, streams
from support.long_stream import words_kept
from support.machine_faults import NotRun
from support.scripted_conversation import LIVE_MODELS
from support.soak_clients import CLIENTS, Client, Target


def test_kills_hang_nobody_and_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = asyncio.run(kills.soak_all(tmp_path, "scripted", kills=3, servers=1))
    assert [len(one.samples) for one in found] == [3]
    assert not kills.report(found), capsys.readouterr().out
    for name in CLIENTS:
        assert sum(found[0].tallies[name].outcomes.values()) > 0


async def hangs(target: Target, rng: random.Random) -> None:
    await asyncio.sleep(60)


async def gives_up(target: Target, rng: random.Random) -> None:
    await asyncio.sleep(0.01)
    raise TimeoutError("no handshake")


@pytest.mark.parametrize(("client", "outcome"), [(hangs, "hung"), (gives_up, "wrong")])
async def test_a_client_that_has_a_limit_of_its_own_does_not_hang(
    client: Client, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLIENTS, "one", client)
    tally, stop = kills.Tally(), asyncio.Event()
    working = asyncio.create_task(kills.work("one", Target(""), random.Random(1), 0.1, tally, stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(working, 5)
    assert dict(tally.outcomes) == {outcome: 1} and f"one: {outcome} after" in tally.notes[0]


@pytest.mark.parametrize("wire", ["conversation", "one_shot", "hybrid"])
def test_minutes_of_a_stream_have_every_word(tmp_path: Path, wire: str) -> None:
    """The other live wires are in test_live_wires.py; memory needs longer."""
    with serve(tmp_path, "--bind", "hybrid=127.0.0.1:0", "--wyoming", "0", SPEECHMLX_MODELS=LIVE_MODELS) as server:
        row = asyncio.run(streams.stream(server, "scripted", wire, minutes=1, pace=60.0))
    assert wire == "one_shot" or len(row.words.split()) == words_kept(wire, 1)
    assert not row.faults


@pytest.mark.parametrize("fault", ["stopped_engine", "stopped_front", "shared_cache"])
def test_a_fault_is_told_of_and_gone_when_it_is_over(tmp_path: Path, fault: str) -> None:
    faults.FAULTS[fault](tmp_path / fault)


@pytest.mark.parametrize("fault", ["full_download", "full_log", "read_only_cache"])
def test_a_disk_that_is_full_or_read_only(tmp_path: Path, fault: str) -> None:
    try:
        faults.FAULTS[fault](tmp_path / fault)
    except NotRun as reason:
        pytest.skip(str(reason))
