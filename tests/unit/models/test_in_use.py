"""Marks on models in use."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from speechmlx.errors import Busy
from speechmlx.models.in_use import Marks, alone


def test_a_mark_keeps_others_out_and_deletion_keeps_marks_out(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    assert marks.hold("a")
    with pytest.raises(Busy, match="a is in use by a server"), alone("a", tmp_path):
        raise AssertionError
    with alone("b", tmp_path):
        assert not marks.hold("b")
    assert marks.hold("b")
    marks.keep(["b"])
    with alone("a", tmp_path):
        pass


@pytest.mark.parametrize("fault", ["not a folder", "no locks"])
def test_a_cache_without_locks_is_used_without_marks(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no locks here")

    if fault == "no locks":
        monkeypatch.setattr(fcntl, "flock", refuse)
        with alone("a", tmp_path):
            pass
    else:
        (tmp_path / "locks").touch()
    assert Marks(tmp_path).hold("a")
