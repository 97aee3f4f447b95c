"""Settings of the library: arguments, then the environment, then the file; and only those that mean something."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from speechmlx.config import KINDS, Config
from speechmlx.errors import BadRequest
from speechmlx.library.settings import LOG_LEVEL, SpeechSettings, read_config


def test_every_setting_is_one_of_the_server() -> None:
    known = {field.name for field in fields(Config)} | set(KINDS)
    assert set(SpeechSettings.__annotations__) < known and set(KINDS) < set(SpeechSettings.__annotations__)


def test_arguments_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('max_jobs = 1\nmax_sessions = 2\nport = 7\n[models]\nasr = "whisper-base"\ntts = "kokoro-82m"\n')
    monkeypatch.setenv("SPEECHMLX_MAX_SESSIONS", "3")
    config = read_config({"max_jobs": 5, "memory_limit": "2GB", "asr": "whisper-tiny"}, file)
    assert (config.max_jobs, config.max_sessions, config.memory_limit, config.port) == (5, 3, 2_000_000_000, 7)
    assert config.models == {"asr": "whisper-tiny", "tts": "kokoro-82m"}


def test_the_engine_process_writes_warnings_alone_and_not_into_the_servers_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHMLX_LOG_LEVEL", "debug")
    monkeypatch.setenv("SPEECHMLX_LOG_FILE", "server.log")
    assert read_config({}).log_level == LOG_LEVEL and read_config({}).log_file is None
    assert read_config({"log_level": "info"}).log_level == "info"


def test_unknown_settings_are_named() -> None:
    with pytest.raises(BadRequest, match="unknown setting port; the settings are asr, listen, tts, "):
        read_config({"port": 8080})
    with pytest.raises(BadRequest, match="max_jobs must be a whole number \\(got 'many'\\)"):
        read_config({"max_jobs": "many"})
    with pytest.raises(BadRequest, match="cannot be read"):
        read_config({}, "/nowhere/config.toml")
