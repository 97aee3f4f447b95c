"""A package index on loopback, and an environment that is configured to use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.package_index import PackageIndex, serving

from speechmlx.models import download

TESTS = Path(__file__).parents[1]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A running index, set by PIP_INDEX_URL for this process and those it starts; no hub is reachable."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    with serving(PackageIndex()) as running:
        settings = {
            "PIP_CONFIG_FILE": os.devnull,
            "UV_NO_CONFIG": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "PIP_INDEX_URL": running.url,
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "SPEECHMLX_CATALOG": "support.tiny_model:extend",
            "PYTHONPATH": str(TESTS),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield running
