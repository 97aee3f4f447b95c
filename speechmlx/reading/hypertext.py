"""HTML in a text: its tags go, those of blocks become breaks. Pure, linear in the length.

Only real tags: "2 < 3", "a<b and c>d" and `List<T>` stay as they are. Entities are decoded later, with the other marks
inside a line, so that an escaped mark ("&#42;") is none.
"""

from __future__ import annotations

import html
import re

from speechmlx.reading.code import regions
from speechmlx.reading.mapped import MappedText

LINE_BREAK = "\u2028"
"""A break inside a block."""
BLOCK_BREAK = "\n\n"

BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol optgroup option p pre search "
    "section select summary table tbody tfoot thead title tr ul".split()
)
INLINE = frozenset(
    "a abbr acronym area audio b base bdi bdo big blink br button canvas cite code col colgroup data datalist del dfn "
    "em embed font i iframe img input ins kbd label link map mark marquee math meta meter nobr noscript object output "
    "param picture progress q rp rt ruby s samp script slot small source span strike strong style sub sup svg td "
    "template textarea th time track tt u var video wbr".split()
)
DROPPED = frozenset("script style svg template rt rp iframe object canvas noscript".split())
"""Elements whose content is not read."""
BARE_ATTRIBUTES = frozenset(
    "allowfullscreen async autofocus autoplay checked compact controls default defer disabled download hidden inert "
    "ismap itemscope loop multiple muted nohref nomodule noshade novalidate nowrap open playsinline readonly required "
    "reversed selected".split()
)

_ATTRIBUTE = (
    r"[^\s\"'<>/=]{1,60}+(?:\s*+=\s*+(?:\"[^\"<]{0,2000}+\"|'[^'<]{0,2000}+'|[^\s\"'<>=`]{1,500}+))?+"  # name="value"
)
TAG = re.compile(rf"<(/?)([a-zA-Z][a-zA-Z0-9:-]{{0,40}}+)((?:\s++{_ATTRIBUTE})*+)\s*+(/?)>")
OTHER = re.compile(r"<!--|<!\[CDATA\[|<![a-zA-Z][^<>]{0,500}>|<\?[a-zA-Z][^<>]{0,500}>")
CLOSERS = {"<!--": "-->", "<![CDATA[": r"\]\]>"}
CLOSING = re.compile(r"</([a-zA-Z][a-zA-Z0-9:-]{0,40})\s*>")
ATTRIBUTE = re.compile(_ATTRIBUTE)
ALT = re.compile(r"\salt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
RAISED = re.compile(r"<(su[bp])>([+−-]?[0-9]{1,6}|n)</\1>", re.IGNORECASE)
SUPERSCRIPT = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
SUBSCRIPT = str.maketrans("0123456789+-−n", "₀₁₂₃₄₅₆₇₈₉₊₋₋ₙ")
Edit = tuple[int, int, str]


def without_tags(text: MappedText) -> MappedText:
    """The text without its tags, comments, scripts and styles. Code between backticks or fences stays as it is."""
    if "<" not in text.text:
        return text
    return text.rewritten(_Tags(text.text).edits())


class _Tags:
    """One pass over the tags of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closed = {m[1].lower() for m in CLOSING.finditer(text)}
        self._endless = set[str]()
        """Patterns of closing marks that do not come any more."""
        self._has_cell = False
        self._done = 0

    def edits(self) -> list[Edit]:
        found, code = list[Edit](), iter(regions(self._text))
        skipped = next(code, None)
        at = self._text.find("<")
        while at >= 0:
            while skipped is not None and skipped.end <= at:
                skipped = next(code, None)
            edit = self._edit(at) if skipped is None or at < skipped.start else None
            if edit is not None:
                found.append(edit)
                self._done = edit[1]
            at = self._text.find("<", edit[1] if edit else at + 1)
        return found

    def _edit(self, at: int) -> Edit | None:
        """What becomes of the tag at `at`; None where there is none."""
        raised = RAISED.match(self._text, at)
        if raised:
            table = SUPERSCRIPT if raised[1].lower() == "sup" else SUBSCRIPT
            return at, raised.end(), raised[2].translate(table)
        tag = TAG.match(self._text, at)
        if tag is None:
            return self._other(at)
        name = tag[2].lower()
        if not self._is_tag(tag, name):
            return None
        if name in DROPPED and not tag[1] and not tag[4]:
            close = self._close(rf"</{name}\s*+>", tag.end())
            return at, close.end() if close else tag.end(), ""
        return self._put(tag, name)

    def _put(self, tag: re.Match[str], name: str) -> Edit:
        at, new = tag.start(), ""
        if name in BLOCKS:
            new = BLOCK_BREAK
            self._has_cell = self._has_cell and name != "tr"
        elif name == "br":
            new = LINE_BREAK
        elif name in ("td", "th") and not tag[1]:
            new = ", " if self._has_cell else ""
            at = self._done + len(self._text[self._done : at].rstrip()) if self._has_cell else at
            self._has_cell = True
        elif name == "img" and (alt := ALT.search(tag[3])):
            new = html.unescape(alt[1] or alt[2] or alt[3] or "")
        return at, tag.end(), new

    def _is_tag(self, tag: re.Match[str], name: str) -> bool:
        if tag[1]:
            return not tag[3]
        attributes = ATTRIBUTE.findall(tag[3])
        if any("=" not in attribute and attribute.lower() not in BARE_ATTRIBUTES for attribute in attributes):
            return False
        return name in BLOCKS or name in INLINE or name in self._closed or (bool(attributes) and "-" in name)

    def _other(self, at: int) -> Edit | None:
        """A comment, a declaration or the like."""
        other = OTHER.match(self._text, at)
        if other is None:
            return None
        if other[0] not in CLOSERS:
            return at, other.end(), ""
        close = self._close(CLOSERS[other[0]], other.end())
        if close is None:
            return None
        return at, close.end(), self._text[other.end() : close.start()] if other[0] == "<![CDATA[" else ""

    def _close(self, pattern: str, at: int) -> re.Match[str] | None:
        """The next match of `pattern`; None: there is none from here on, which is asked only once."""
        if pattern in self._endless:
            return None
        found = re.compile(pattern, re.IGNORECASE).search(self._text, at)
        if found is None:
            self._endless.add(pattern)
        return found
