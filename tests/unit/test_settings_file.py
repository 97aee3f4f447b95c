"""A written settings file is read as the settings that it was written from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechmlx import machine
from speechmlx.config import Config
from speechmlx.config_sources import build, gather, load
from speechmlx.settings_file import settings_text, toml

HOME = {"HOME": "/nowhere"}
FLAGS = {
    "port": 9000,
    "bind": ["hybrid=5050", "0.0.0.0:6000"],
    "preload": True,
    "idle_unload": 2.5,
    "memory_limit": "8GB",
    "cache": Path('/data/a "quoted" \\ folder'),
    "llm_url": "http://127.0.0.1:1234/v1",
    "api_key": ["k-ü\x7f"],
    "wyoming": "on",
    "asr": "whisper-base",
    "voices": {"my own": "af_bella*0.7+af_sky*0.3", "alloy": "Ann"},
}


def test_the_settings_are_read_back(tmp_path: Path) -> None:
    given = gather(FLAGS, {**HOME, "SPEECHMLX_LOG_LEVEL": "debug"})
    made = build(given, HOME)
    file = tmp_path / "config.toml"
    file.write_text(settings_text(made, given))
    assert load({}, HOME, file) == made != Config()


def test_every_setting_is_there_and_what_is_not_set_is_a_comment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "is_apple", lambda: False)  # some defaults come from the memory of a Mac
    text = settings_text(Config(), {})
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert load({}, HOME, file) == Config()
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert load({}, HOME, file) == Config()
    names = set(re.findall(r"^(?:# )?(\w+) = ", text, flags=re.MULTILINE))
    assert names >= {*vars(Config())} - {"models"} and {"asr", "diarize"} <= names
    assert all(len(line) <= 102 for line in text.splitlines())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        (0.5, "0.5"),
        (None, '""'),
        ((), "[]"),
        (("a", "b"), '["a", "b"]'),
        ({}, "{}"),
        ({"a b": "c"}, '{"a b" = "c"}'),
        ('"\\', '"\\"\\\\"'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert toml(value) == text
