"""Silences that a text asks for: `[pause:1.5s]`, `[pause:500ms]`. Pure, linear in the length.

Readers that know structure take a pause as they take SSML's break; `parts` is for synthesisers that read no structure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from speechmlx.errors import BadRequest
from speechmlx.reading import ssml

PAUSE = re.compile(r"\[pause:([0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})(ms|s)\]", re.IGNORECASE)
"""No blank inside: a text that is still being written is cut behind a colon and a blank."""
LONGEST = ssml.LONGEST_BREAK
"""Seconds of one pause. Several may follow each other."""


@dataclass(frozen=True, slots=True)
class PauseOrText:
    """A part of a text that begins at character `start`: words to say, or else seconds of silence."""

    text: str
    start: int
    seconds: float = 0.0


def seconds_of(pause: re.Match[str]) -> float:
    """The length of a match of PAUSE. Raises BadRequest for one over LONGEST."""
    seconds = float(pause[1]) / (1000 if pause[2].lower() == "ms" else 1)
    if seconds > LONGEST:
        raise BadRequest(
            f"{pause[0]} is too long: a pause has {LONGEST:g} s at most, like [pause:1.5s] or [pause:500ms]; "
            "several may follow each other"
        )
    return seconds


def check_pauses(text: str) -> None:
    """Raises BadRequest for a pause that is too long, before any of the text is said."""
    if not ssml.is_ssml(text):
        for pause in PAUSE.finditer(text):
            seconds_of(pause)


def parts(text: str) -> list[PauseOrText]:
    """The words and the silences of a text, in order; none is empty. SSML, which has its own breaks, is one part.

    Raises BadRequest for a pause that is too long.
    """
    found, at = list[PauseOrText](), 0
    for pause in () if ssml.is_ssml(text) else PAUSE.finditer(text):
        if pause.start() > at:
            found.append(PauseOrText(text[at : pause.start()], at))
        if seconds := seconds_of(pause):
            found.append(PauseOrText("", pause.start(), seconds))
        at = pause.end()
    if at < len(text):
        found.append(PauseOrText(text[at:], at))
    return found


def edges(text: str) -> tuple[float, PauseOrText, float]:
    """The silences at the beginning and at the end of a text, in seconds, and what is between them.

    Raises BadRequest for a pause that is too long.
    """
    found = parts(text)
    before = after = 0.0
    while found and not found[0].text.strip():
        before += found.pop(0).seconds
    while found and not found[-1].text.strip():
        after += found.pop().seconds
    if not found:
        return before, PauseOrText("", len(text)), after
    last = found[-1]
    return before, PauseOrText(text[found[0].start : last.start + len(last.text)], found[0].start), after
