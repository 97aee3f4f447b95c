"""Text → blocks, without the marks of Markdown and HTML. Pure, linear in the length.

It works on a whole document and on its sentences one by one, as a stream brings them. What looks like a mark and is
none stays: "5 * 3 = 15", "> 5" inside a line, "#1", "C#".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from speechmlx.reading import roman
from speechmlx.reading.blocks import BlockKind, Given, Note, TextBlock
from speechmlx.reading.hypertext import LINE_BREAK, without_tags
from speechmlx.reading.inline import without_marks
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.sentences import ORDERED
from speechmlx.reading.tokens import SpokenWord

NARROW = 40
"""Characters: no text is wrapped at less."""
SHORT = 0.75
"""Of the width of a text: a line that was ended on purpose is shorter, those that were wrapped by hand are longer."""

LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2029]")
PARAGRAPH_ENDS = "\v\f\x1c\x1d\u2029"
QUOTE = re.compile(r"(?:[^\S\n]{0,3}>(?![=\d])[^\S\n]?)++")
FENCE = re.compile(r"[^\S\n]{0,3}(`{3,}+(?![^`]*`)|~{3,}+)")
RULE = re.compile(r"[^\S\n]{0,3}([-*_=])(?:[^\S\n]*+\1){2,}+[^\S\n]*+$")
UNDERLINE = re.compile(r"[^\S\n]{0,3}(?:={2,}+|-{2,}+)[^\S\n]*+$")
HEADING = re.compile(r"[^\S\n]{0,3}#{1,6}(?:[^\S\n]++(?!of\s)|$)")
CLOSING_HASHES = re.compile(r"[^\S\n]#{1,6}[^\S\n]*+$")
ITEM = re.compile(
    r"[^\S\n]*+(?:[-*+•‣◦▪●○■□][^\S\n]++(?:\[[ xX]\][^\S\n]++)?"
    r"|\(?(\d{1,3}|[A-Za-z]|[ivx]{2,6}|[IVX]{2,6})(?:(\))|(\.))[^\S\n]++)"
)
SEPARATOR = re.compile(r"\s*+\|?(?:\s*+:?-++:?\s*+\|)*+\s*+:?-*+:?\s*+$")
DEFINITION = re.compile(r"[^\S\n]{0,3}\[([^\[\]^\n]{1,100})\]:[^\S\n]{1,5}(?=\S*[/.#:<])\S++(?:[^\S\n]++[\"'(].*)?$")
FOOTNOTE = re.compile(r"[^\S\n]{0,3}\[\^[^\s\[\]]{1,40}\]:[^\S\n]*+")
PROMPT = re.compile(r"\s*+(?:[$%#]|//|>>>|\.\.\.)\s++(?=[^\W\d])")
"""Of a shell, before a command; of a comment."""
HARD_BREAK = re.compile(r"(?:[^\S\n]{2,}|\\)$")
CELL_END = re.compile(r"(?<!\\)\|")
ORDERED_WORD = re.compile(r"[^\W\d_]{1,20}")
GOES_ON = re.compile(
    r"(?:\b(?:a|an|the|and|or|but|of|to|in|on|at|by|for|from|with|as|is|are|was|were|be|my|your|his|her|our|their|this|that"
    r"|mr|mrs|ms|dr)\.?|[,;:&(\[–—-])\s*$",
    re.IGNORECASE,
)
"""The end of a line that is no end of a phrase, or has its own mark."""
FIRST_WORD = re.compile(r"\S{1,60}")
OPENERS = "\"'“‘«([*_"
TITLE_LINE = re.compile(r"[A-Z][^.!?\n]{0,50}[^.!?,;:\s]$")
"""What follows the number of a heading."""


def blocks(text: str) -> list[TextBlock]:
    """The blocks of a text in Markdown, HTML or neither, in order; none of them is blank."""
    return blocks_of(MappedText.of(text))


def blocks_of(text: MappedText) -> list[TextBlock]:
    """The blocks of a text that is a part of the input."""
    lines = list(_lines(without_tags(text)))
    references = {found[1].lower() for line in lines if (found := DEFINITION.match(line.text))}
    document = _Document(references)
    for number, line in enumerate(lines):
        document.push(line, lines[number + 1].text if number + 1 < len(lines) else "")
    document.flush()
    return document.found


def _lines(text: MappedText) -> Iterator[MappedText]:
    start = 0
    for end in LINE_END.finditer(text.text):
        yield text[start : end.start()]
        if end[0] in PARAGRAPH_ENDS:
            yield text[end.end() : end.end()]
        start = end.end()
    yield text[start:]


class _Document:
    """Collects lines into blocks."""

    def __init__(self, references: set[str]) -> None:
        self.found: list[TextBlock] = []
        self._references = references
        self._pending: list[MappedText] = []
        """Lines of the block that goes on."""
        self._kind: BlockKind = "paragraph"
        self._marker: Given | None = None
        self._fence = ""
        """The mark that closes the code under way."""
        self._is_table = False
        self._is_quote = False

    def push(self, line: MappedText, following: str) -> None:
        """Add a line; `following` is the text of the next one."""
        quote = QUOTE.match(line.text) if not self._fence else None
        if quote:
            line = line[quote.end() :]
        if (quote is not None) != self._is_quote and line.text.strip() and not self._fence:
            self.flush()
            self._is_quote = quote is not None
        if self._fence:
            self._push_code(line)
        elif fence := FENCE.match(line.text):
            self.flush()
            self._fence = fence[1]
        elif not line.text.strip():
            self.flush()
            self._is_table = False
        elif not self._push_row(line, following) and not self._push_marked(line):
            self._pending.append(line)

    def flush(self) -> None:
        """The block under way is complete."""
        lines, kind, marker = self._pending, self._kind, self._marker
        self._pending, self._kind, self._marker = [], "paragraph", None
        for number, paragraph in enumerate(_paragraphs(lines)):
            self._add(kind if number == 0 or kind == "heading" else "paragraph", paragraph, marker)
            marker = None

    def _add(self, kind: BlockKind, text: MappedText, marker: Given | None = None) -> None:
        plain, given = without_marks(text.strip(), self._references)
        notes: tuple[Note, ...] = given if marker is None else (marker, *given)
        if plain.text.strip() or given:  # a pause may stand alone
            self.found.append(
                TextBlock("quote" if self._is_quote and kind == "paragraph" else kind, plain.strip(), notes)
            )

    def _push_code(self, line: MappedText) -> None:
        stripped = line.text.strip(" \t>")
        if stripped.startswith(self._fence) and not stripped.strip(self._fence[0]):
            self._fence = ""
        elif line.text.strip():
            prompt = PROMPT.match(line.text)
            self.found.append(TextBlock("code", line[prompt.end() if prompt else 0 :].strip()))

    def _push_row(self, line: MappedText, following: str) -> bool:
        """Add a line of a table, if it is one: between bars, or beside a separator."""
        text = line.text.strip()
        if "|" not in text:
            self._is_table = False
            return False
        separates = SEPARATOR.match(text) is not None and "-" in text
        between = len(text) > 2 and text[0] == "|" and text[-1] == "|"
        heads = "|" in following and "-" in following and SEPARATOR.match(following.strip()) is not None
        if not (separates or between or heads or self._is_table):
            return False
        self._is_table = True
        self.flush()
        if not separates:
            self._add_row(line)
        return True

    def _add_row(self, line: MappedText) -> None:
        cells, notes, start = list[MappedText](), list[Note](), 0
        for end in (*(m.start() for m in CELL_END.finditer(line.text)), len(line.text)):
            cell, given = without_marks(line[start:end].strip(), self._references)
            start = end + 1
            notes += given
            if cell.text.strip(" -–—"):
                cells.append(cell)
        if cells or notes:
            self.found.append(TextBlock("row", MappedText.join(cells, ", "), tuple(notes)))

    def _push_marked(self, line: MappedText) -> bool:
        """Add a heading, a rule, a definition or the first line of an item, if it is one."""
        text = line.text
        if UNDERLINE.match(text) and self._pending and self._kind == "paragraph":
            self._kind = "heading"
            self.flush()
        elif RULE.match(text) or DEFINITION.match(text):
            self.flush()
        elif heading := HEADING.match(text):
            self.flush()
            hashes = CLOSING_HASHES.search(text, max(heading.end() - 1, 0))
            line = line[heading.end() : hashes.start() if hashes else len(text)]
            item = ITEM.match(line.text)
            if item and item[1] and item[3] and item[1].isalpha() and _is_item(item):  # "# IV. Results"
                self._push_item(line, item)
                self.flush()
            else:
                self._add("heading", line)
        elif note := FOOTNOTE.match(text):
            self.flush()
            self._pending.append(line[note.end() :])
        elif (item := ITEM.match(text)) and _is_item(item):
            self.flush()
            self._push_item(line, item)
        else:
            return False
        return True

    def _push_item(self, line: MappedText, item: re.Match[str]) -> None:
        self._kind = "item"
        rest = line[item.end() :]
        nested = ITEM.match(rest.text)
        if item[1] is None:
            if nested and _is_item(nested):  # "- 1. Milk"
                self._push_item(rest, nested)
                return
            self._pending.append(rest)
            return
        span = line.span(item.start(1), item.end(1))
        number = line[item.start(1) : item.end(1)]
        if item[1].isalpha() and len(item[1]) == 1 and not item[3]:
            self._marker = Given(*span, (SpokenWord(item[1].lower(), *span, is_letter=True),))
        elif item[1].isalpha():
            number = MappedText.said(str(roman.value(item[1].upper())), *span)
        pause = MappedText.said(", ", *line.span(item.end(1), item.end(1) + 1))
        self._pending.append(MappedText.join((number, pause, rest)))


def _is_item(item: re.Match[str]) -> bool:
    """Not so the initial of a name, a number alone, and an ordinal of German: "1. Mai"."""
    number, rest = item[1], item.string[item.end() :]
    if number is None:
        return True
    if number.isalpha() and (len(number) > 1 or (item[3] and number in "IVX")):
        return roman.value(number.upper()) is not None and (len(number) > 1 or TITLE_LINE.match(rest) is not None)
    word = ORDERED_WORD.match(rest)
    is_ordinal = item[3] and word and word[0].lower() in ORDERED
    return not ((item[3] and number.isalpha()) or not rest or is_ordinal)


def _paragraphs(lines: list[MappedText]) -> Iterator[MappedText]:
    """The lines of a block as one text, or as several where a line was ended on purpose.

    A wrapped line ends because the next word does not fit. Where it would fit, and the next line begins like a
    sentence, the line is one of its own.
    """
    width = max((len(line) for line in lines), default=0)
    together: list[MappedText] = []
    for number, line in enumerate(lines):
        stripped = (line[:-1] if line.text.endswith("\\") and number + 1 < len(lines) else line).strip()
        if number:
            separate = _separation(lines[number - 1], stripped.text, width)
            if separate == LINE_BREAK * 2:
                yield MappedText.join(together)
                together = []
            else:
                last = together[-1]
                start, end = (last.ends[-1] if last.text else 0), (stripped.starts[0] if stripped.text else 0)
                together.append(MappedText.said(separate, start, max(start, end)))
        together.append(stripped)
    if together:
        yield MappedText.join(together)


def _separation(line: MappedText, following: str, width: int) -> str:
    """What stands between two lines: a blank, a break within the block, or two for the end of the block."""
    word = FIRST_WORD.match(following)
    if HARD_BREAK.search(line.text):
        return LINE_BREAK
    begun = following.lstrip(OPENERS)[:1]
    if word is None or not (begun.isupper() or begun.isdigit()) or GOES_ON.search(line.text):
        return "\n"
    if width < NARROW:
        return LINE_BREAK
    length = len(line.text.rstrip())
    return LINE_BREAK * 2 if length + 1 + len(word[0]) <= width and length <= SHORT * width else "\n"
