"""The files of safe points: who holds a session, who takes it over, and what is left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from speechmlx.protocols.safe_point import SafePoint
from speechmlx.protocols.safe_store import MARGIN, SafeStore, file_name

NAME = ("sess_1", "/asr", "laptop")


def point(at: float) -> SafePoint:
    return SafePoint(query="", received=1, at=at, sent=1, state={})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "jobs" / "live"


def store(folder: Path) -> SafeStore:
    return SafeStore(folder, 5.0)


def test_another_server_takes_a_session_over_once(folder: Path) -> None:
    first, second = store(folder), store(folder)
    slot = first.slot(*NAME)
    assert slot.save(point(1.0).dump()) and slot.save(point(2.0).dump())
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
    assert "sess_1" not in file.name
    taken = second.take(*NAME)
    assert taken is not None and taken[0] == point(2.0)
    assert not slot.hold() and not slot.save(point(3.0).dump())
    assert taken[1].save(point(3.0).dump())
    again = first.take(*NAME)
    assert again is not None and again[0] == point(3.0)
    assert not taken[1].hold()
    again[1].close()
    assert not list(folder.iterdir()) and second.take(*NAME) is None


@pytest.mark.parametrize("other", [("sess_2", *NAME[1:]), (NAME[0], "/v1/listen", NAME[2]), (*NAME[:2], "guest")])
def test_a_session_is_its_owners_and_its_wires(folder: Path, other: tuple[str, str, str]) -> None:
    store(folder).slot(*NAME).save(point(1.0).dump())
    assert store(folder).take(*other) is None
    assert store(folder).take(*NAME) is not None


def test_a_save_in_the_moment_of_a_take_over_gives_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store(folder)
    slot = first.slot(*NAME)
    slot.save(point(1.0).dump())
    replace, taken = os.replace, []

    def late(source: Path, target: Path) -> None:
        taken.append(store(folder).take(*NAME))
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    assert not slot.save(point(2.0).dump())
    monkeypatch.undo()
    assert taken[0] is not None and taken[0][0] == point(1.0) and taken[0][1].hold()
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"x", b"{}", b"\0" * 100, point(1.0).dump()[:-3]])
def test_a_record_that_cannot_be_read_is_forgotten(folder: Path, content: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / f"{file_name(*NAME)}-0").write_bytes(content)
    assert store(folder).take(*NAME) is None
    assert not list(folder.iterdir())


def test_old_records_are_forgotten(folder: Path) -> None:
    old, young = store(folder).slot(*NAME), store(folder).slot("sess_2", *NAME[1:])
    for slot in (old, young):
        slot.save(point(1.0).dump())
    (file,) = folder.glob(file_name(*NAME) + "*")
    past = time.time() - MARGIN - 6
    os.utime(file, (past, past))
    assert store(folder).take(*NAME) is None
    store(folder).sweep()
    assert not file.exists() and young.hold()


def test_a_session_that_lives_is_not_old(folder: Path) -> None:
    slot = store(folder).slot(*NAME)
    assert slot.hold(), "nothing was written yet"
    slot.save(point(1.0).dump())
    (file,) = folder.iterdir()
    os.utime(file, (0, 0))
    assert slot.hold() and file.stat().st_mtime > time.time() - 60


def test_a_closed_session_writes_no_more(folder: Path) -> None:
    ended, stopped = store(folder).slot(*NAME), store(folder).slot("sess_2", *NAME[1:])
    for slot in (ended, stopped):
        slot.save(point(1.0).dump())
    ended.close()
    stopped.close(remove=False)
    for slot in (ended, stopped):
        assert slot.save(point(2.0).dump()) and slot.hold()
    assert [file.name[:64] for file in folder.iterdir()] == [file_name("sess_2", *NAME[1:])]
    assert store(folder).take(*NAME) is None


def test_a_cleared_record_may_be_written_again(folder: Path) -> None:
    slot = store(folder).slot(*NAME)
    slot.save(point(1.0).dump())
    slot.clear()
    assert not list(folder.iterdir())
    assert slot.save(point(2.0).dump()) and len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("no folder")
    with pytest.raises(OSError, match=r"exists|directory"):
        store(tmp_path / "jobs" / "live").slot(*NAME).save(point(1.0).dump())
    assert store(tmp_path / "jobs" / "live").take(*NAME) is None


async def test_work_runs_beside_the_loop(folder: Path) -> None:
    one = store(folder)
    slot = one.slot(*NAME)
    assert await one.run(slot.save, point(1.0).dump())
    one.close()
    assert await one.run(slot.save, point(2.0).dump()), "what comes late is done as well"
