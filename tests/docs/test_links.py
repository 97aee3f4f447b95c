"""The documents: every relative link leads to a file and to a heading that are there, and the index has all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.documents import DOCUMENTS, ROOT

LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)\s]+)\)", re.DOTALL)
README_LINES = 200


def prose(file: Path) -> str:
    """The text without blocks of code."""
    return re.sub(r"^```.*?^```$", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """What a link may have after its "#": the headings as GitHub writes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        base = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        number = sum(name == base or re.fullmatch(rf"{re.escape(base)}-\d+", name) is not None for name in found)
        found.add(f"{base}-{number}" if number else base)
    return found


@pytest.mark.parametrize("file", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    lost = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "code", prose(file))):
        path, _, anchor = link.partition("#")
        target = file.parent / path if path else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_the_index_has_every_document_once() -> None:
    index = ROOT / "docs/README.md"
    linked = re.findall(r"^- \[[^\]]+\]\(([\w-]+\.md)\): \S", index.read_text(), re.MULTILINE)
    assert sorted(linked) == sorted(file.name for file in ROOT.glob("docs/*.md") if file != index), (
        "docs/README.md has a line for each document"
    )


def test_the_readme_is_short_and_says_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < README_LINES
    assert "\nscripts/demo " in text and "\nscripts/test " in text
    assert text.index("Nothing here has run on a Mac yet") < text.index("## Install")
