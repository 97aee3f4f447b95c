"""Which files are read again: those that are not as they were when they were last found whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from speechmlx.models import verified
from speechmlx.models.digest import digest


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read."""
    names: list[str] = []

    def noting(path: Path) -> str:
        names.append(path.name)
        return digest(path)

    monkeypatch.setattr(verified, "digest", noting)
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    return names


def made(home: Path) -> dict[str, str]:
    """Two files in `home`, and their digests."""
    for name in ("config.json", "model.safetensors"):
        (home / name).write_bytes(name.encode())
    return {file.name: digest(file) for file in sorted(home.iterdir())}


def rewritten(file: Path) -> None:
    """Other bytes of the same length, with the old time of modification."""
    old = file.stat()
    file.write_bytes(bytes(old.st_size))
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))


def replaced(file: Path) -> None:
    other = file.with_suffix(".other")
    other.write_bytes(bytes(file.stat().st_size))
    other.replace(file)


def test_whole_files_are_read_once(tmp_path: Path, read: list[str]) -> None:
    expected = made(tmp_path)
    for _ in range(3):
        assert verified.first_damage(tmp_path, expected) is None
    assert read == list(expected)
    assert verified.first_damage(tmp_path, expected, fully=True) is None
    assert read == list(expected) * 2


@pytest.mark.parametrize("change", [rewritten, replaced])
def test_a_change_is_found_and_found_again(tmp_path: Path, read: list[str], change: Callable[[Path], None]) -> None:
    expected = made(tmp_path)
    verified.first_damage(tmp_path, expected)
    change(tmp_path / "model.safetensors")
    read.clear()
    for _ in range(2):
        assert str(verified.first_damage(tmp_path, expected)).startswith("model.safetensors is not as it was fetched")
    assert read == ["model.safetensors"] * 2


def test_what_only_reading_finds_is_remembered(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is as it was by all that the system tells of it, as after the loss of a bit on the disk."""
    expected = made(tmp_path)
    verified.first_damage(tmp_path, expected)
    kept = verified._state(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(bytes(len("model.safetensors")))
    monkeypatch.setattr(verified, "_state", lambda file: kept if file.name == "model.safetensors" else [0, 0, 0, 0])
    assert verified.first_damage(tmp_path, expected | {"config.json": digest(tmp_path / "config.json")}) is None
    assert "is not as it was fetched" in str(verified.first_damage(tmp_path, expected, fully=True))
    assert "is not as it was fetched" in str(verified.first_damage(tmp_path, expected))


def test_a_file_that_changed_just_now_is_read_again(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "SETTLED", 60.0)
    expected = made(tmp_path)
    for _ in range(2):
        assert verified.first_damage(tmp_path, expected) is None
    assert read == list(expected) * 2


def test_another_digest_than_last_time_is_compared(tmp_path: Path, read: list[str]) -> None:
    expected = made(tmp_path)
    verified.first_damage(tmp_path, expected)
    assert "its sha256 is" in str(verified.first_damage(tmp_path, expected | {"config.json": "0" * 64}))


@pytest.mark.parametrize("record", ["", "[]", "{", '{"config.json": 3}', "[" * 100_000, '{"config.json": ["x"]}'])
def test_a_broken_record_is_none(tmp_path: Path, read: list[str], record: str) -> None:
    expected = made(tmp_path)
    (tmp_path / verified.RECORD).write_text(record)
    assert verified.first_damage(tmp_path, expected) is None
    assert read == list(expected)


def test_a_folder_that_cannot_be_written_is_read_each_time(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    expected = made(tmp_path)
    monkeypatch.setattr(Path, "write_text", refuse)
    for _ in range(2):
        assert verified.first_damage(tmp_path, expected) is None
    assert read == list(expected) * 2


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    expected = made(tmp_path)
    (tmp_path / "config.json").unlink()
    assert verified.first_damage(tmp_path, expected) == "config.json cannot be read (No such file or directory)"
