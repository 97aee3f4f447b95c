from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tiny_bridge
from support.engine_runs import result

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.engines.mlx_audio import cooperative

Load = Callable[[str], Any]
LoadFolder = Callable[[Path], Any]


@pytest.fixture
def every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step ends after every layer, so that two jobs meet everywhere."""
    monkeypatch.setattr(cooperative, "STEP", 0.0)
    monkeypatch.setattr(cooperative, "MOST", 1)


@pytest.fixture(scope="session")
def bridged(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], options: LoadOptions) -> Load:
    """The engine of a tiny model of a family ("stt/parakeet"), made and loaded once."""
    engines: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in engines:
            folder = tiny_bridge.write(name, tmp_path_factory.mktemp("bridged") / "weights")
            engines[name] = loaded(mlx_audio.load(folder, options))
        return engines[name]

    return load


@pytest.fixture
def load(options: LoadOptions) -> LoadFolder:
    """The engine of a folder."""
    return lambda folder: result(mlx_audio.load(folder, options))
