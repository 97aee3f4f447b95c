"""`audio-server cluster` where it cannot begin."""

from __future__ import annotations

import os
import sys

import pytest

from speechmlx.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "cluster.yaml"], "a cluster needs Ray Serve: see docs/scale.md"),
        (["join", "192.168.1.10:6379"], "a cluster needs Ray Serve: see docs/scale.md"),
        (["join", "mac.local"], "'mac.local' is no address of a cluster; write it like 192.168.1.10:6379"),
        (["up", "cluster.yaml", "--address", "6379"], "'6379' is no address of a cluster"),
    ],
)
def test_it_says_what_is_missing(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(sys, "argv", ["audio-server", "cluster", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
