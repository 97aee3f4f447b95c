"""Which recordings names mean, and where results are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechmlx.cli.terminal.recordings import find_recordings, kept_input, one_recording, output_paths
from speechmlx.errors import BadRequest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.wav", "a.mp3", "a.wav", "notes.txt", "talks/c.WAV", "talks/deep/d.opus", "[x].wav"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["b.wav", "a.wav"], ["b.wav", "a.wav"]),
        (["talks"], ["talks/c.WAV", "talks/deep/d.opus"]),
        (["*.wav"], ["[x].wav", "a.wav", "b.wav"]),
        (["**/*.opus"], ["talks/deep/d.opus"]),
        (["[x].wav"], ["[x].wav"]),
        (["a.wav", "a.*"], ["a.wav", "a.mp3"]),
        (["notes.txt"], ["notes.txt"]),
        (["-", "a.wav"], ["standard input", "a.wav"]),
    ],
)
def test_names(folder: Path, names: list[str], found: list[str]) -> None:
    assert [file.name for file in find_recordings(names, Path("/kept"))] == found


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.wav", "nowhere.wav cannot be read: there is no such file or folder"),
        ("*.flac", r"no file matches \*.flac"),
        ("empty", "the folder empty has no recordings; their names end in .aac, .aif"),
        ("-", "- cannot be read"),
    ],
)
def test_a_name_of_nothing_is_refused(folder: Path, name: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        find_recordings([name])


@pytest.mark.parametrize(
    ("names", "output", "paths"),
    [
        (["a.wav"], "out.srt", ["out.srt"]),
        (["a.wav"], "new/", ["new/a.srt"]),
        (["a.wav"], "talks", ["talks/a.srt"]),
        (["a.wav", "b.wav"], "new", ["new/a.srt", "new/b.srt"]),
        (["a.wav", "a.mp3", "b.wav"], "new", ["new/a.wav.srt", "new/a.mp3.srt", "new/b.srt"]),
        (["talks"], "new", ["new/c.srt", "new/deep/d.srt"]),
    ],
)
def test_outputs(folder: Path, names: list[str], output: str, paths: list[str]) -> None:
    found = output_paths(find_recordings(names), output, ".srt")
    assert found == [Path(path) for path in paths]
    assert all(path.parent.is_dir() for path in found)


def test_a_result_replaces_no_recording_and_no_other_result(folder: Path) -> None:
    with pytest.raises(BadRequest, match=r"b.wav is the recording itself"):
        output_paths(find_recordings(["b.wav"]), "b.wav", ".wav")
    (folder / "more").mkdir()
    (folder / "more/b.wav").touch()
    with pytest.raises(BadRequest, match=r"several results would be written to new/b.wav.srt"):
        output_paths(find_recordings(["b.wav", "more/b.wav"]), "new/", ".srt")
    with pytest.raises(BadRequest, match="cannot be made: File exists"):
        output_paths(find_recordings(["a.wav"]), "b.wav/", ".srt")


def test_one_recording(folder: Path) -> None:
    assert one_recording("a.wav", None) == Path("a.wav")
    with pytest.raises(BadRequest, match="talks is 2 recordings; name one"):
        one_recording("talks", None)
    with kept_input(["a.wav"]) as kept:
        assert kept is None
