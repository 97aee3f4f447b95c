"""Walks the files: sizes, docstrings of packages, names of classes, and a unit test for each module.

Each list of exceptions may only shrink.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "speechmlx"
FILE_LINES = 400
FUNCTION_LINES = 40

SHARED_NAMES = {"Network"}
"""Each engine has its network."""


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Path below the root, and syntax tree, of each Python file in `folders`."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in file.parts:
                yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def only_declares(tree: ast.Module) -> bool:
    """Whether no function of a module does anything: data classes and protocols."""
    statements = [line for function in functions(tree) for line in function.body]
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in statements)


def test_every_package_says_what_lives_there() -> None:
    for folder in {file.parent for file in PACKAGE.rglob("*.py")}:
        init = folder / "__init__.py"
        assert init.exists() and ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), f"{init}: no docstring"


def test_files_are_short() -> None:
    lengths = {
        path: len((ROOT / path).read_text().splitlines()) for path, _ in modules("speechmlx", "scripts", "tests")
    }
    assert {path for path, length in lengths.items() if length > FILE_LINES} == set()


def test_functions_are_short() -> None:
    long = {
        f"{path} {function.name}"
        for path, tree in modules("speechmlx", "scripts")
        for function in functions(tree)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES
    }
    assert not long


def test_a_class_name_stands_for_one_idea() -> None:
    """Public classes. Those of one name in several modules are hard to find, and easy to mix up."""
    places = defaultdict(list)
    for path, tree in modules("speechmlx"):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    assert {name for name, paths in places.items() if len(paths) > 1} <= SHARED_NAMES


@pytest.mark.parametrize("folder", ["conversation", "runtime"])
def test_every_module_has_its_unit_test(folder: str) -> None:
    """speechmlx/X/Y.py has tests/unit/X/test_Y.py."""
    untested = set()
    for path, tree in modules(f"speechmlx/{folder}"):
        file = Path(path).relative_to("speechmlx")
        test = ROOT / "tests/unit" / file.parent / f"test_{file.name}"
        if file.name != "__init__.py" and not only_declares(tree) and not test.exists():
            untested.add(file.as_posix())
    assert not untested


def test_no_module_needs_the_package_that_is_importing_it() -> None:
    """Two threads that import such modules at once find one of them half made."""
    found = set()
    for path, tree in modules("speechmlx"):
        if not path.endswith("/__init__.py"):
            continue
        folder = Path(path).parent
        package = ".".join(folder.parts)
        taken = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
        if not any(name.startswith(f"{package}.") for name in taken):
            continue
        for other, code in modules(folder.as_posix()):
            for node in code.body:
                if isinstance(node, ast.ImportFrom) and node.module == package:
                    own = {one.name for one in node.names if not list((ROOT / folder).glob(f"{one.name}*"))}
                    found |= {f"{other}: {name}" for name in own}
    assert not found
