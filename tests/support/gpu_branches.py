"""Finds where engines do something else on a GPU than on a CPU, and the lines that only run there or for both.

A choice is a comparison with "cpu" or "gpu", a table by device, or a test of one of FLAGS. The lines of a function with
a choice are those that a GPU must have run, but for what only a CPU does and for errors. A function that it names
without calling it counts with it: it chose that function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import speechmlx

ROOT = Path(speechmlx.__file__).parent
FLAGS = {"on_cpu": "cpu", "cpu": "cpu", "dequantise": "cpu"} | dict.fromkeys(
    ("fused", "on_gpu", "pipelined", "_pipelined", "compiled", "compiles"), "gpu"
)
"""Names of truths that say for which device something is."""
KINDS = ("cpu", "gpu")
DEVICES = {"device", "_device"}
"""Names of what is one of KINDS."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Choice:
    """A function that chooses by device, and the lines of it that a GPU does not run."""

    path: Path
    name: str
    lines: set[int]
    """Lines that a GPU must run, where there is a statement on them."""
    named: set[str]
    """What these lines name without calling it."""


def modules() -> list[Path]:
    """The engines' modules, without those that are for a CPU alone."""
    paths = sorted((ROOT / "engines").rglob("*.py"))
    return [path for path in paths if path.parent.name != "cpu" and path.name != "on_cpu.py"]


def choices(path: Path) -> list[Choice]:
    """The functions of a module that choose by device, and those that they keep as values, wherever they are."""
    functions = dict(_functions(_tree(path)))
    found = [_choice(path, name, node) for name, node in functions.items() if _chooses(node)]
    kept = [one for choice in found for name in choice.named for one in _kept(path, name)]
    return [*found, *(one for one in kept if one.name not in {choice.name for choice in found})]


def _kept(path: Path, name: str) -> Iterator[Choice]:
    """The function that `name` means in a module, or those in the constant that it means, also of another engine's."""
    tree = _tree(path)
    for node in tree.body:
        if isinstance(node, Function) and node.name == name:
            yield _choice(path, name, node)
        elif isinstance(node, ast.Assign) and name in map(_name, node.targets):
            for inner in _values(node.value):
                yield from _kept(path, inner)
        elif isinstance(node, ast.ImportFrom) and name in (alias.name for alias in node.names):
            file = ROOT.parent.joinpath(*str(node.module).split(".")).with_suffix(".py")
            if ROOT / "engines" in file.parents and file.exists():
                yield from _kept(file, name)


def _values(node: ast.AST, lines: set[int] | None = None) -> set[str]:
    """Names under `node` that are not called and not for a CPU alone, on `lines` if they are given."""
    away = {id(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
    for one in ast.walk(node):
        if isinstance(one, ast.IfExp) and (side := _side(one.test)):
            away.update(map(id, ast.walk(one.body if side == "cpu" else one.orelse)))
    names = (one for one in ast.walk(node) if isinstance(one, ast.Name) and id(one) not in away)
    return {one.id for one in names if lines is None or one.lineno in lines}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def unknown(path: Path) -> list[str]:
    """Uses of a `device` that are no choice and do not hand it on: nobody here knows what they do."""
    tree = _tree(path)
    known: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.Subscript) and _is_choice(node):
            known.update(ast.walk(node))
        elif isinstance(node, ast.Assign) and DEVICES & {_name(part) for one in node.targets for part in ast.walk(one)}:
            known.update(ast.walk(node.value))
        elif isinstance(node, ast.Call):
            known.update(node.args, (keyword.value for keyword in node.keywords))
    uses = (node for node in ast.walk(tree) if _name(node) in DEVICES and node not in known)
    read = (node for node in uses if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load))
    return [f"{path.relative_to(ROOT)}:{node.lineno}" for node in read]


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{one.name}", one) for one in node.body if isinstance(one, Function))


def _chooses(function: Function) -> bool:
    return any(_is_choice(node) or _flag(node) for node in ast.walk(function))


def _is_choice(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        sides = (node.left, *node.comparators)
        return any(isinstance(side, ast.Constant) and side.value in KINDS for side in sides)
    return isinstance(node, ast.Subscript) and _name(node.slice) in DEVICES


def _flag(node: ast.AST) -> bool:
    """Whether a condition tests one of FLAGS."""
    return isinstance(node, ast.If | ast.IfExp) and any(_name(part) in FLAGS for part in _parts(node.test))


def _parts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _parts(value)
    elif isinstance(test, ast.UnaryOp):
        yield from _parts(test.operand)
    else:
        yield test


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _choice(path: Path, name: str, function: Function) -> Choice:
    lines = set[int]().union(*map(_lines, function.body))
    for node in ast.walk(function):
        if isinstance(node, ast.If) and (side := _side(node.test)):
            away = node.body if side == "cpu" else node.orelse
            if side == "gpu" and isinstance(node.body[-1], ast.Return):
                away = away + _after(function, node)
            lines = lines.difference(*map(_lines, away))
        elif isinstance(node, ast.Raise | ast.ExceptHandler):
            lines -= _lines(node)
    return Choice(path, name, lines, _values(function, lines))


def _after(function: Function, statement: ast.stmt) -> list[ast.stmt]:
    """The statements that follow `statement` in its block."""
    blocks = (getattr(node, name, None) for node in ast.walk(function) for name in ("body", "orelse", "finalbody"))
    block = next(block for block in blocks if isinstance(block, list) and statement in block)
    return block[block.index(statement) + 1 :]


def _lines(node: ast.stmt | ast.ExceptHandler) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _side(test: ast.expr) -> str | None:
    """The device for which alone `test` is true: "cpu" where only a CPU finds it so; None if it may be so for both."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return "cpu" if any(_side(value) == "cpu" for value in test.values) else None
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return {"cpu": "gpu", "gpu": "cpu"}.get(_side(test.operand) or "")
    if isinstance(test, ast.Compare) and _is_choice(test):
        constants = [side.value for side in (test.left, *test.comparators) if isinstance(side, ast.Constant)]
        equal = isinstance(test.ops[0], ast.Eq)
        return "cpu" if (constants[0] == "cpu") is equal else "gpu"
    return FLAGS.get(_name(test) or "")
