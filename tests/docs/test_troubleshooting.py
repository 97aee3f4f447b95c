"""docs/troubleshooting.md: every error that it quotes is one that the program can say."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from support.documents import ROOT

from speechmlx.reading import pronunciation

TEXT = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)
OWN = 12
"""Letters that a text has besides what is filled in, at least: a shorter one would match anything."""
GAP = "…"
"""Stands for what is filled in."""


def letters(text: str) -> int:
    return sum(char.isalpha() for char in text)


def filled(node: ast.expr) -> str:
    """A text of the code, with a GAP for each value that is filled in; "" for what is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(part.value if isinstance(part, ast.Constant) else GAP for part in values)  # type: ignore[misc]
    return ""


@cache
def said() -> frozenset[str]:
    """What the program can say: the texts of its code."""
    own = (
        filled(node)
        for file in (ROOT / "speechmlx").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant | ast.JoinedStr)
    )
    missing = (str(pronunciation._missing(*names)) for names in (("es", "espeak"), ("ja", "ja")))
    return frozenset(text for text in (*own, *missing) if letters(text) >= OWN)


def matches(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern with GAPs can be."""
    parts = pattern.split(GAP)
    return all(part in text for part in parts) and bool(re.fullmatch(".+".join(map(re.escape, parts)), text, re.DOTALL))


def is_said(error: str) -> bool:
    return any(matches(error, text) or matches(text, error) for text in said())


@pytest.mark.parametrize("error", QUOTED)
def test_the_program_says_it(error: str) -> None:
    assert letters(error) >= OWN and is_said(error)


def test_what_it_does_not_say_is_not_found() -> None:
    assert len(QUOTED) > 25
    assert not is_said("the model is on holiday until …")
