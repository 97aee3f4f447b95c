"""The documents: their blocks of code, and what a comment before a block says of how it is tested.

A block of commands (sh) or of Python is run by tests/docs/test_commands.py, unless the line before it is one of
NOTES as a comment, like `<!-- macOS only -->`. `<!-- Python here is tested by FILE::TEST -->` anywhere in a document
stands for all of its blocks of Python.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob(".github/*.md")))
SHELL, PYTHON = ("sh", "bash", "shell", "console", "zsh"), ("python", "py")
NOTES = (
    "macOS only",
    "needs a network",
    r"tested by \S+::\w+(, \S+::\w+)*",
    r"run by \S+\.yml",
    r"not run: \w+",
)
"""Regular expressions for the comment before a block that the tests do not run."""
FENCE = re.compile(r"(?:^<!-- ([^\n]*?) -->\n+)?^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its document, its first line there, its language, and the comment before it, or ""."""

    file: Path
    line: int
    language: str
    code: str
    note: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command; comments, empty lines and settings of variables are left out."""
        whole = self.code.replace("\\\n", " ")
        split = [shlex.split(line, comments=True) for line in whole.splitlines()]
        return [words[next((i for i, word in enumerate(words) if "=" not in word), 0) :] for words in split if words]


def blocks(file: Path) -> Iterator[Block]:
    text = file.read_text(encoding="utf-8")
    python = re.search(r"^<!-- Python here is (tested by [^\n]*?) -->$", text, re.MULTILINE)
    for found in FENCE.finditer(text):
        note, language, code = found[1] or "", found[2].strip(), found[3]
        if note.startswith("Python here") or not re.fullmatch("|".join(NOTES), note):
            assert note == "" or note.startswith(("Python here", "catalog:", "end", "scripts/docs")), f"{file}: {note}"
            note = python[1] if python and language in PYTHON else ""
        yield Block(file, text.count("\n", 0, found.start(3)) + 1, language, code, note)


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all documents in `languages`; without any, in every language."""
    return [block for file in DOCUMENTS for block in blocks(file) if not languages or block.language in languages]
