"""The tables of the documents are those of the catalog and of the errors."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from support.documents import ROOT

from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.error_status import STATUS


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = spec_from_file_location("catalog_tables", ROOT / "scripts/catalog_tables.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", ["models.md", "voices.md"])
def test_they_are_what_the_script_writes(tables: ModuleType, document: str) -> None:
    file = ROOT / "docs" / document
    assert "<!-- catalog: " in file.read_text()
    assert file.read_text() == tables.written(file), "run scripts/docs"


def test_amounts(tables: ModuleType) -> None:
    assert [tables.amount(size) for size in (2_200_000, 92_200_000, 999_000_000, 1_614_000_000)] == [
        "2 MB",
        "92 MB",
        "999 MB",
        "1.6 GB",
    ]


def test_every_status_of_an_error_is_explained() -> None:
    section = (ROOT / "docs/http.md").read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    explained = {int(status) for cell in cells for status in cell.split(", ")}
    assert set(STATUS.values()) <= explained


def test_what_is_shown_names_each_model_once_with_its_licence() -> None:
    section = (
        (ROOT / "docs/models.md").read_text().partition("\n## What is shown of each model\n")[2].partition("\n## ")[0]
    )
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    shown = [(name.strip("`"), cells[-1]) for cells in lines for name in cells[0].split(", ")]
    assert sorted(shown) == sorted((row.name, row.licence) for row in CATALOG.rows)
    assert all(len(cells) == 5 and all(cells) for cells in lines)
    (absent,) = [cells for cells in lines if "`megatts3`" in cells[0]]
    assert absent[2:4] == ["cannot run here", "never loaded"]
