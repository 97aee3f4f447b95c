"""Where Markdown has code: fenced blocks and spans between backticks. Pure, linear in the length."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

FENCE = re.compile(r"^[^\S\n]{0,3}(?:[>*+-][^\S\n]){0,3}[^\S\n]{0,3}(`{3,}+(?![^`\n]*`)|~{3,}+)[^\n]*$", re.MULTILINE)
BACKTICKS = re.compile(r"`+")
BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """Code with its marks: text[start:end]; without them: text[inner:inner_end]."""

    start: int
    end: int
    inner: int
    inner_end: int


def code_spans(text: str) -> list[CodeSpan]:
    """The spans between backticks, in order: a run of them closes at the next as long one of its paragraph."""
    runs = [(m.start(), m.end()) for m in BACKTICKS.finditer(text)]
    if len(runs) < 2:
        return []
    blanks = [m.start() for m in BLANK_LINE.finditer(text)]
    following, newest = [-1] * len(runs), dict[int, int]()
    for number in range(len(runs) - 1, -1, -1):
        start, end = runs[number]
        following[number] = newest.get(end - start, -1)
        newest[end - start] = number
    found, number = list[CodeSpan](), 0
    while number < len(runs):
        start, end = runs[number]
        close = following[number]
        if close >= 0:
            blank = bisect_left(blanks, start)
            if blank == len(blanks) or blanks[blank] >= runs[close][0]:
                found.append(CodeSpan(start, runs[close][1], end, runs[close][0]))
                number = close
        number += 1
    return found


def fenced(text: str) -> list[CodeSpan]:
    """The blocks between fences, in order. One that is not closed goes to the end."""
    found, at = list[CodeSpan](), 0
    while opened := FENCE.search(text, at):
        mark = opened[1]
        closing = re.compile(rf"^[^\S\n]{{0,3}}(?:>[^\S\n]?)?[^\S\n]{{0,3}}{mark}{mark[0]}*+[^\S\n]*+$", re.MULTILINE)
        closed = closing.search(text, opened.end())
        end, inner_end = (closed.end(), closed.start()) if closed else (len(text), len(text))
        found.append(CodeSpan(opened.start(), end, min(opened.end() + 1, inner_end), inner_end))
        at = end
    return found


def regions(text: str) -> list[CodeSpan]:
    """Fenced blocks and spans, in order and apart."""
    found, end = list[CodeSpan](), 0
    for span in sorted((*fenced(text), *code_spans(text)), key=lambda span: (span.start, -span.end)):
        if span.start >= end:
            found.append(span)
            end = span.end
    return found
