"""Parts of a text that are read in one step, and parts of a passage that are said in one manner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speechmlx.reading import Pause, SpokenWord, Token

WINDOW = 20_000  # most characters whose structure is looked at in one step


def windows(text: str) -> Iterator[tuple[int, str]]:
    """`text`, cut where it is longer than WINDOW: at an empty line, else at the end of a line, else at a blank.

    Each part comes with its place. SSML is one window.
    """
    start = 0
    while len(text) - start > WINDOW and not text.lstrip().startswith("<speak"):
        window = text[start : start + WINDOW]
        cut = next((at + len(mark) for mark in ("\n\n", "\n", ". ", " ") if (at := window.rfind(mark)) > 0), WINDOW)
        yield start, window[:cut]
        start += cut
    yield start, text[start:]


def alike(passage: Sequence[Token]) -> Iterator[tuple[list[Token], float, float]]:
    """Parts of a passage that are said at one rate and without a break; the rate, and seconds of the break after."""
    part, rate = list[Token](), 1.0
    for token in passage:
        if isinstance(token, SpokenWord) and token.rate != rate:
            if part:
                yield part, rate, 0.0
            part, rate = [], token.rate
        if isinstance(token, Pause) and token.seconds is not None:
            yield [*part, *([token] if token.mark else [])], rate, token.seconds
            part = []
        else:
            part.append(token)
    if part:
        yield part, rate, 0.0
