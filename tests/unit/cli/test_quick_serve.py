"""Flags of `serve` that are read without typer mean the same as by typer; it gets everything else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.cli import quick_serve, serve
from speechmlx.cli.quick_serve import read_flags, serve_plainly
from speechmlx.cli.verbs import command
from speechmlx.config import Config


class Told(Exception):
    """What `serve` was told by typer."""


def by_typer(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The flags that typer reads, and the file as `config`. Raises typer's own error."""

    def load(flags: dict[str, Any], environment: object, file: object) -> Config:
        raise Told(flags | {"config": file})

    monkeypatch.setattr(serve, "load", load)
    with pytest.raises(Told) as caught:
        command("serve").main(list(arguments), standalone_mode=False)
    flags: dict[str, Any] = caught.value.args[0]
    return {name: value for name, value in flags.items() if value is not None}


PLAIN = [
    [],
    ["--port", "0"],
    ["--port=8081", "--host", "0.0.0.0"],
    ["--profile", "starter", "--asr", "whisper-tiny.en"],
    ["--preload", "--log-transcripts"],
    ["--bind", "5050", "--bind=hybrid=0.0.0.0:8081", "--api-key", "a"],
    ["--idle-unload", "2", "--memory-limit", "8GB"],
    ["--idle-unload", "2.5", "--idle-unload", "3"],
    ["--config", "here.toml", "--tls-cert", "/tmp/a b.pem"],
    ["--wyoming", "on"],
    ["--llm-url", "http://127.0.0.1:1/v1?a=b"],
]


@pytest.mark.parametrize("arguments", PLAIN, ids=" ".join)
def test_plain_flags_mean_what_typer_says(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_flags(arguments) == by_typer(arguments, monkeypatch)


PIECES = st.sampled_from(["--port", "--port=", "--preload", "--preload=1", "--bind", "--idle-unload", "--log_level"])
WORDS = st.sampled_from(["", "1", "01", "1.5", "1e3", "x", "-1", "--", "-", "--help", "1_0", "٣", "8GB", " 2"])


@given(st.lists(PIECES | WORDS, max_size=5))
def test_what_is_read_is_what_typer_reads(arguments: list[str]) -> None:
    if (found := read_flags(arguments)) is not None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert found == by_typer(arguments, monkeypatch)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        ["--version"],
        ["--prot", "9000"],
        ["--port"],
        ["--port", "x"],
        ["--port", "-1"],
        ["--port="],
        ["--preload=yes"],
        ["--no-preload"],
        ["--log_level", "info"],
        ["more"],
        ["--", "--port", "1"],
        ["--cache", "/tmp"],
    ],
    ids=" ".join,
)
def test_other_arguments_are_left_to_typer(arguments: list[str]) -> None:
    assert read_flags(arguments) is None
    assert not serve_plainly(arguments, {})


def test_a_shell_that_asks_for_completion_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Config] = []
    monkeypatch.setattr(quick_serve, "start", started.append)
    assert not serve_plainly([], {"_AUDIO_SERVER_COMPLETE": "complete_zsh"}) and not started
    assert serve_plainly(["--port", "1"], {"HOME": "/nowhere"})
    assert [config.port for config in started] == [1]


def test_a_banner_that_nobody_reads_is_no_error() -> None:
    code = "from speechmlx.cli.quick_serve import _write_line; _write_line('one'); _write_line('two')"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
