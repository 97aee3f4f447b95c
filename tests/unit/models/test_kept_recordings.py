"""Private files of recordings: whole or absent, bounded in number, and damaged ones told."""

from __future__ import annotations

import os
import stat
import time
import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from speechmlx.errors import BadRequest, NoRoom
from speechmlx.models.kept_recordings import RATE, STALE, KeptRecordings, pcm_of

PCM = pcm_of(np.linspace(-0.5, 0.5, RATE, dtype=np.float32))


@dataclass(frozen=True)
class Note:
    id: str
    text: str = ""


def note(number: int, kind: str = "note") -> Note:
    return Note(f"{kind}_{number:024x}", f"“{number}”")


@pytest.fixture
def kept(tmp_path: Path) -> KeptRecordings:
    return KeptRecordings(tmp_path / "not" / "there yet")


def test_what_is_kept_comes_back(kept: KeptRecordings) -> None:
    assert list(kept.records("note", Note)) == [] and not kept.has(note(1).id)
    for number in (2, 1):
        kept.keep(note(number), PCM, 2)
    assert list(kept.records("note", Note)) == [note(1), note(2)] and list(kept.records("other", Note)) == []
    assert kept.has(note(1).id) and kept.record(note(1).id, Note) == note(1)
    audio = kept.sound(note(1).id)
    assert audio is not None and audio.rate == RATE and pcm_of(audio.samples) == PCM
    kept.change(replace(note(1), text="new"))
    assert kept.record(note(1).id, Note) == replace(note(1), text="new")
    assert kept.remove(note(1).id) and not kept.remove(note(1).id)
    assert not kept.has(note(1).id) and kept.record(note(1).id, Note) is None and kept.sound(note(1).id) is None
    assert [path.name for path in kept.folder.iterdir()] == [note(2).id]


def test_files_are_the_owners_alone_and_a_wav_file(kept: KeptRecordings) -> None:
    before = os.umask(0)
    try:
        kept.keep(note(1), PCM, 1)
        kept.change(note(1))
    finally:
        os.umask(before)
    home = kept.folder / note(1).id
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (kept.folder, home, *home.iterdir())}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600} and len(modes) == 4
    with wave.open(str(home / "recording.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        assert file.readframes(2 * RATE) == PCM


def test_a_limit_and_a_taken_id(kept: KeptRecordings) -> None:
    kept.keep(note(1), PCM, 2)
    with pytest.raises(BadRequest, match=r"there is a recording of this name: delete it first"):
        kept.keep(note(1), PCM, 2)
    kept.keep(note(2), PCM, 2)
    with pytest.raises(BadRequest, match=r"2 recordings are kept, which is the limit: delete one first"):
        kept.keep(note(3), PCM, 2)
    kept.keep(note(3, "other"), PCM, 2)  # a limit for each kind
    assert not list(kept.folder.glob(".*"))


@pytest.mark.parametrize(
    "id", ["", "..", "../x", "note_1", f"note_{'g' * 24}", f"/note_{'0' * 24}", f"note_{'0' * 24}/"]
)
def test_nothing_else_is_ever_a_path(kept: KeptRecordings, id: str) -> None:
    assert not kept.has(id) and kept.record(id, Note) is None


def test_damaged_ones(kept: KeptRecordings, caplog: pytest.LogCaptureFixture) -> None:
    for number in (1, 2, 3):
        kept.keep(note(number), PCM, 9)
    for number, text in ((1, "{"), (2, '{"id": "x", "more": 1}')):
        (kept.folder / note(number).id / "record.json").write_text(text)
        with pytest.raises(BadRequest, match=rf"the record of {note(number).id} is damaged .*: delete it, and store"):
            kept.record(note(number).id, Note)
    assert list(kept.records("note", Note)) == [note(3)] and "is damaged" in caplog.text
    sound = kept.folder / note(3).id / "recording.wav"
    for data in (b"", sound.read_bytes()[:-2], b"x" * 200):
        sound.write_bytes(data)
        with pytest.raises(BadRequest, match=r"the recording of note_0+3 is damaged: delete it, and store it again"):
            kept.sound(note(3).id)
    assert kept.remove(note(1).id)


def test_what_a_server_left_unfinished_goes_later(kept: KeptRecordings) -> None:
    kept.keep(note(1), PCM, 9)
    old, new = kept.folder / ".new-0", kept.folder / ".gone-1"
    for path in (old, new):
        path.mkdir()
        (path / "recording.wav").touch()
    os.utime(old, (0, time.time() - STALE - 1))
    kept.keep(note(2), PCM, 9)
    assert not old.exists() and new.exists() and len(list(kept.records("note", Note))) == 2


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = KeptRecordings(tmp_path / "file")
    with pytest.raises(
        NoRoom, match=r"the folder of voices \(.*file\) cannot be used: .*; make room there, or see voice_"
    ):
        kept.keep(note(1), PCM, 9)
    with pytest.raises(NoRoom):
        kept.record(note(1).id, Note)
