"""`audio-server config` in a terminal: values and where they come from, and the file that it writes."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.pty import shown

from speechmlx.config import KINDS, Config


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a person without settings."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def settings(*arguments: str, env: dict[str, str]) -> dict[str, dict[str, Any]]:
    text = shown("config", "--json", *arguments, columns=30_000, env=env)
    return {one.pop("name"): one for one in json.loads(text)["settings"]}


def test_every_setting_with_its_value_and_source(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('max_jobs = 7\napi_key = ["secret"]\n[models]\ntts = "kokoro"\n')
    flags = ("--config", str(file), "--port", "9000", "--asr", "whisper-tiny")
    found = settings(*flags, env={**home, "SPEECHMLX_LOG_LEVEL": "debug", "HTTP_PORT": "8081"})
    assert set(found) == {f.name for f in fields(Config)} - {"models"} | {f"models.{kind}" for kind in KINDS}
    assert found["port"] == {"value": 9000, "source": "flag", "place": "--port"}
    assert found["max_jobs"] == {"value": 7, "source": "file", "place": str(file)}
    assert found["api_key"] == {"value": "•••", "source": "file", "place": str(file)}
    assert found["log_level"] == {"value": "debug", "source": "environment", "place": "SPEECHMLX_LOG_LEVEL"}
    assert found["bind"] == {"value": ["hybrid=8081"], "source": "environment", "place": "HTTP_PORT"}
    assert found["host"] == {"value": "127.0.0.1", "source": "default", "place": ""}
    assert found["models.asr"] == {"value": "whisper-tiny", "source": "flag", "place": "--asr"}
    assert found["models.tts"]["source"] == "file"
    assert found["models.llm"]["source"] == "default" and found["models.llm"]["place"].startswith("profile ")
    assert found["key_file"]["value"] == str(tmp_path / "config/speechmlx/keys.json")


def test_a_person_reads_a_table(home: dict[str, str]) -> None:
    lines = shown("config", env={**home, "SPEECHMLX_PORT": "9000"}).splitlines()
    assert max(map(len, lines[:-2])) <= 80
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert rows["port"] == ["9000", "SPEECHMLX_PORT"]
    assert rows["preload"] == ["off", "default"]
    assert "not there; `audio-server config --write`" in " ".join(lines[-2:])


def test_the_file_is_written_once_and_read(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "config/speechmlx/config.toml"
    wrote = "".join(shown("config", "--write", "--port", "9000", env=home).split())
    assert wrote == f"Wrote{file}" and tomllib.loads(file.read_text()) == {"port": 9000, "models": {}}
    assert file.stat().st_mode & 0o077 == 0
    assert settings(env=home)["port"] == {"value": 9000, "source": "file", "place": str(file)}
    refused = " ".join(shown("config", "--write", status=2, columns=1000, env=home).split())
    assert "is there already; `audio-server config --write --force`" in refused
    shown("config", "--write", "--force", "--host", "::1", env=home)
    assert tomllib.loads(file.read_text()) == {"host": "::1", "port": 9000, "models": {}}
    assert tomllib.loads(file.with_name("config.toml.old").read_text())["port"] == 9000


def test_another_file_is_written_where_it_is_named(home: dict[str, str], tmp_path: Path) -> None:
    shown("config", "--write", "--config", str(tmp_path / "mine.toml"), env=home)
    assert tomllib.loads((tmp_path / "mine.toml").read_text()) == {"models": {}}
    assert "cannot be written" in shown("config", "--write", "--config", "/dev/null/x.toml", status=2, env=home)


@pytest.mark.parametrize("verb", ["config", "serve"])
def test_a_wrong_name_in_the_environment(home: dict[str, str], verb: str) -> None:
    text = " ".join(shown(verb, status=2, columns=1000, env={**home, "SPEECHMLX_PROT": "1"}).split())
    assert text == (
        "audio-server: SPEECHMLX_PROT: no such setting; did you mean SPEECHMLX_PORT? `audio-server config` shows all"
    )


def test_what_the_languages_chose(home: dict[str, str]) -> None:
    found = settings("--profile", "standard", "--languages", "de,German", "--languages", "fr", env=home)
    assert found["languages"] == {"value": ["de", "fr"], "source": "flag", "place": "--languages"}
    why = "profile standard, languages de,fr"
    assert found["models.asr"] == {"value": "parakeet-tdt-0.6b-v3", "source": "default", "place": why}
    assert found["models.listen"]["place"] == why and found["models.llm"]["place"] == "profile standard"
    named = settings("--profile", "standard", "--languages", "zh", "--asr", "whisper-medium", env=home)
    assert named["models.listen"] == {"value": "whisper-medium", "source": "default", "place": "profile standard"}
    assert named["models.align"]["value"] is None
    wrong = " ".join(shown("serve", "--languages", "germn", status=2, columns=2000, env=home).split())
    assert wrong.startswith("audio-server: languages: 'germn' is no language that is recognised (did you mean 'de'")
