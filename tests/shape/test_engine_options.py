"""Tests of engines load models as the engine process does on this machine; another device than its own is said."""

from __future__ import annotations

import ast
from pathlib import Path

ENGINES = Path(__file__).parents[1] / "engines"


def calls(path: Path) -> list[str]:
    """Where a file makes LoadOptions itself without a GPU in them: on a Mac they would run a CPU's code on Metal."""
    made = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    plain = (one for one in made if isinstance(one.func, ast.Name) and one.func.id == "LoadOptions" and not on_gpu(one))
    return [f"{path.relative_to(ENGINES)}:{one.lineno}" for one in plain]


def on_gpu(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(value, ast.Constant) and value.value == "gpu" for value in given)


def test_options_come_from_the_fixtures() -> None:
    """`options` and `cold` are the machine's; `cpu` also has MLX compute on a CPU."""
    assert [where for path in sorted(ENGINES.rglob("*.py")) for where in calls(path)] == []
