"""Marks inside a block of Markdown: emphasis, code, links, images, footnotes, entities, formulas, pauses. Pure, linear.

Only real marks go: "5 * 3", "a_b", "#1" and "**" alone stay as they are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection

from speechmlx.reading import latex
from speechmlx.reading.blocks import Given
from speechmlx.reading.code import code_spans
from speechmlx.reading.emphasis import Delimiters
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.pauses import PAUSE, seconds_of
from speechmlx.reading.tokens import Pause, SpokenWord

SPECIAL = re.compile(
    r"[¹²³⁴-⁹]|\\|`|[*_]++|~~++|==++|!?\[|\]|<|&|\$|\n|\u2028[ \u2028]*+|(?:https?://|www\.)[^\s<>\"\[\]*`]{1,2000}+",
    re.IGNORECASE,
)
ESCAPED = frozenset("\\`*_{}[]()#+-.!|>~$<&\"'")
ADDRESS = re.compile(
    r"\(\s{0,5}(?:<[^<>\n]{0,2000}>|[^\s()<>]{0,2000}(?:\([^\s()]{0,300}\)[^\s()]{0,300}){0,3})"
    r"(?:\s{1,5}(?:\"[^\"\n]{0,300}\"|'[^'\n]{0,300}'))?\s{0,5}\)"
)
PLACE = re.compile(r"[/.#:]")
PHONEMES = re.compile(r"\(/([^/()\n]{1,200})/\)")
REFERENCE = re.compile(r"\[([^\[\]\n]{0,100})\]")
FOOTNOTE = re.compile(r"\[\^[^\s\[\]]{1,40}\]")
CITATION = re.compile(
    r"(?:(?<=[^\W\d_])(?:\[[1-9]\d{0,2}\])++|(?<=[.,;:!?”\"'])(?:\[(?:\d{1,3}|[a-z]|citation needed)\])++)"
    r"(?=[\s.,;:!?)”]|$)"
    r"|(?<=[.,;:!?”\"])[¹²³⁴-⁹]{1,3}(?=\s|$)"
)
"""The number of a note, close to a word or a mark."""
AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^\s<>]{1,2000}|[^\s<>@]{1,100}@[^\s<>@]{1,200})>")
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
BARE_TAG = re.compile(r"</?([A-Za-z][\w-]{0,40})\s{0,3}/?>")
MARKS = ".,;:!?…"

Edit = tuple[int, int, str]


def without_marks(text: MappedText, references: Collection[str] = ()) -> tuple[MappedText, tuple[Given, ...]]:
    """The text of one block without its marks, and what is given: `[word](/phonemes/)` and `[pause:1s]`.

    `references`: the names, in lower case, of the link definitions of the document. Raises BadRequest for a pause
    that is too long.
    """
    if SPECIAL.search(text.text) is None:
        return text, ()
    line = _Line(text, references)
    line.read()
    return text.rewritten(line.edits()), tuple(line.given)


class _Line:
    """One pass over the special characters of a block."""

    def __init__(self, text: MappedText, references: Collection[str]) -> None:
        self._mapped = text
        self._text = text.text
        self._references = references
        self._code = {span.start: span for span in code_spans(text.text)}
        self._brackets: list[tuple[int, int]] = []
        """Start and end of the opening brackets that are not closed yet."""
        self._delimiters = Delimiters(text.text)
        self._edits: list[Edit] = []
        self.given: list[Given] = []

    def edits(self) -> list[Edit]:
        """In order and apart."""
        kept, end = list[Edit](), 0
        for edit in sorted([*self._edits, *self._delimiters.edits()]):
            if edit[0] >= end:
                kept.append(edit)
                end = edit[1]
        return kept

    def read(self) -> None:
        at = 0
        while special := SPECIAL.search(self._text, at):
            at = self._take(special)

    def _take(self, special: re.Match[str]) -> int:
        """Edit what begins with `special`. Returns where to look on."""
        start, mark = special.start(), special[0]
        match mark[0]:
            case c if c in "¹²³⁴⁵⁶⁷⁸⁹":
                return self._drop_citation(start) or start + 1
            case "`":
                return self._take_code(start)
            case "[" | "!":
                return self._open_bracket(special)
            case "]":
                return self._close_bracket(start)
            case "\\" | "$":
                return self._take_formula(start)
            case "*" | "_" | "~" | "=":
                self._delimiters.push(start, special.end())
            case "<":
                return self._take_address(start)
            case "&":
                return self._take_entity(start)
            case "\n":
                self._edits.append((start, start + 1, " "))
            case "\u2028":
                self._take_break(start, special.end())
        return special.end()

    def _take_break(self, at: int, end: int) -> None:
        """A break inside the block is a comma, where no other mark stands before it."""
        start = at
        while start and self._text[start - 1] == " " and at - start < 20:
            start -= 1
        before = self._text[start - 1 : start]
        self._edits.append((start, end, " " if not before or before in MARKS else ", "))

    def _take_code(self, start: int) -> int:
        span = self._code.get(start)
        if span is None:
            return start + 1
        inner, inner_end = span.inner, span.inner_end
        self._edits.append((span.start, inner, ""))
        if tag := BARE_TAG.fullmatch(self._text, inner, inner_end):
            self._edits += ((inner, tag.start(1), ""), (tag.end(1), inner_end, ""))
        self._edits.append((inner_end, span.end, ""))
        return span.end

    def _drop_citation(self, start: int) -> int:
        """The end of the footnote or the citation that begins at `start`; 0: there is none."""
        note = FOOTNOTE.match(self._text, start) or CITATION.match(self._text, start)
        if note is None:
            return 0
        self._edits.append((start, note.end(), ""))
        return note.end()

    def _open_bracket(self, special: re.Match[str]) -> int:
        if end := self._drop_citation(special.start()):
            return end
        if pause := PAUSE.match(self._text, special.start()):
            return self._take_pause(pause)
        self._brackets.append((special.start(), special.end()))
        return special.end()

    def _take_pause(self, pause: re.Match[str]) -> int:
        """A blank stands for a silence."""
        first, last = self._mapped.span(*pause.span())
        self._edits.append((*pause.span(), " "))
        if seconds := seconds_of(pause):
            self.given.append(Given(first, last, (Pause("", first, last, seconds),)))
        return pause.end()

    def _close_bracket(self, close: int) -> int:
        if not self._brackets:
            return close + 1
        start, inner = self._brackets.pop()
        after = close + 1
        if phonemes := PHONEMES.match(self._text, after):
            if self._text[inner:close].strip():
                first, last = self._mapped.span(inner, close)
                word = SpokenWord(self._text[inner:close].strip(), first, last, phonemes=phonemes[1].strip())
                self.given.append(Given(first, last, (word,)))
            return self._unlink(start, inner, close, phonemes.end())
        address = ADDRESS.match(self._text, after)
        if address and (PLACE.search(address[0]) or not self._text[max(0, start - 1) : start].isalnum()):
            return self._unlink(start, inner, close, address.end())
        reference = REFERENCE.match(self._text, after)
        if reference and (reference[1] or self._text[inner:close]).lower() in self._references:
            return self._unlink(start, inner, close, reference.end())
        if self._text[inner:close].lower() in self._references:
            return self._unlink(start, inner, close, after)
        return after

    def _unlink(self, start: int, inner: int, close: int, end: int) -> int:
        self._edits += ((start, inner, ""), (close, end, ""))
        return end

    def _take_formula(self, start: int) -> int:
        found = latex.FORMULA.match(self._text, start)
        if found and (found[2] is None or latex.is_formula(found[2])):
            content = next(group for group in found.groups() if group is not None)
            self._edits.append((start, found.end(), latex.plain(content)))
            return found.end()
        if self._text[start] == "\\" and self._text[start + 1 : start + 2] in ESCAPED:
            if start + 1 < len(self._text):
                self._edits.append((start, start + 1, ""))
            return start + 2
        return start + 1

    def _take_address(self, start: int) -> int:
        found = AUTOLINK.match(self._text, start)
        if found is None:
            return start + 1
        self._edits += ((start, start + 1, ""), (found.end() - 1, found.end(), ""))
        return found.end()

    def _take_entity(self, start: int) -> int:
        found = ENTITY.match(self._text, start)
        if found is None or (character := html.unescape(found[0])) == found[0]:
            return start + 1
        self._edits.append((start, found.end(), character))
        return found.end()
