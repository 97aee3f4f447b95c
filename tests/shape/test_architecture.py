"""The architecture itself: import contracts, a light front, an engine for every row, a row for every engine."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from speechmlx import engines, protocols
from speechmlx.models.catalog import CATALOG
from speechmlx.types import Kind

ROOT = Path(__file__).parents[2]
SHARED = {"cpu", "finite", "lm", "parts", "step_size", "weights"}
"""Modules of engines/ that are no engine."""


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_every_profile_names_rows_of_the_right_kind() -> None:
    for name in CATALOG.profiles:
        for kind, model in CATALOG.of_profile(name).items():
            assert CATALOG.resolve(model, kind).kind == kind


def test_the_engines_that_rows_name_are_here() -> None:
    assert not [row.name for row in CATALOG.rows if not row.runnable and not row.refusal]


@pytest.mark.parametrize("kind", CATALOG.of_profile("starter"))
def test_the_starter_profile_has_its_engines(kind: Kind) -> None:
    assert CATALOG.resolve(CATALOG.of_profile("starter")[kind]).runnable


@pytest.mark.parametrize("engine", sorted({row.engine for row in CATALOG.rows if row.runnable}))
def test_engine_of_a_row_can_load(engine: str) -> None:
    module, _, function = engine.partition(":")
    assert inspect.isgeneratorfunction(getattr(importlib.import_module(module), function))


def test_an_engine_that_counts_what_requests_hold_claims_it_too() -> None:
    """Else it would take the memory that others claimed, and refuse nobody."""
    counting = []
    for file in (ROOT / "speechmlx/engines").rglob("*.py"):
        for made in [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ClassDef)]:
            named = {node.name for node in made.body if isinstance(node, ast.FunctionDef)}
            set_ = {ast.unparse(node.target) for node in ast.walk(made) if isinstance(node, ast.AnnAssign)}
            if {"nbytes", "held"} <= named or ("held" in named and "self.nbytes" in ast.unparse(made)):
                counting.append(made.name)
                assert {"room", "self.room"} & (named | set_), made.name
    assert {"Whisper", "Recognizer", "LanguageModelEngine", "MoshiEngine"} <= {*counting}, counting


def test_every_engine_has_a_row() -> None:
    found = {module.name for module in pkgutil.iter_modules(engines.__path__)} - SHARED
    named = {row.engine.partition(":")[0].rpartition(".")[2] for row in CATALOG.rows}
    assert found <= named


def test_only_the_catalog_names_models() -> None:
    """A name as a value anywhere else is the beginning of a switch on it."""
    names = {row.name for row in CATALOG.rows}
    for file in (ROOT / "speechmlx").rglob("*.py"):
        values = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
        assert file.name == "catalog.py" or file.parent.name == "rows" or names.isdisjoint(values), file


def test_every_protocol_has_a_conformance_test() -> None:
    """tests/protocols/test_NAME*.py; NAME may leave out whose protocol it is: openai_realtime has test_realtime*."""
    assert protocols.PROTOCOLS
    for protocol in protocols.PROTOCOLS:
        name = protocol.__module__.split(".")[2]
        files = [*(ROOT / "tests/protocols").glob(f"test_{name}*.py")]
        files += (ROOT / "tests/protocols").glob(f"test_{name.partition('_')[2] or name}*.py")
        assert files, f"no tests/protocols/test_{name}.py"
