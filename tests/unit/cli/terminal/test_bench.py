"""What `audio-server bench` makes of settings, sound and numbers; it measures in tests/terminal."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from speechmlx.cli.terminal.bench_server import settings_text
from speechmlx.cli.terminal.benchmark import names, per_second, without_end
from speechmlx.config import Config
from speechmlx.config_sources import load
from speechmlx.errors import EngineFailed


def test_the_server_has_the_persons_models_and_nothing_else_of_them(tmp_path: Path) -> None:
    own = Config(
        models={"asr": "whisper-tiny"}, cache=Path('/a "b"'), memory_limit=5, host="0.0.0.0", api_key=("x",), port=1
    )
    file = tmp_path / "config.toml"
    file.write_text(settings_text(own))
    read = load({}, {}, file)
    assert (read.models, read.cache, read.memory_limit) == (own.models, own.cache, own.memory_limit)
    assert (read.host, read.api_key, read.port) == (Config.host, (), Config.port)
    assert tomllib.loads(settings_text(Config()))["models"] == {}


def test_the_end_of_speech() -> None:
    samples = np.array([0, 0.5, 0.001, -0.4, 0.001, 0], np.float32)
    assert without_end(samples).tolist() == samples[:4].tolist()
    assert len(without_end(np.zeros(0, np.float32))) == 0


def test_numbers() -> None:
    with pytest.raises(EngineFailed, match="no sound to measure"):
        per_second(0.0, 0.0)
    loaded = [{"name": "b", "state": "loaded"}, {"name": "a", "state": "loaded"}, {"name": "c", "state": "cold"}]
    assert names({"models": loaded}) == ["a", "b"]
