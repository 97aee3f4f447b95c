"""Pure rules on a decoded window: its pieces, where the next window begins, and whether its text can be trusted."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

FRAMES_PER_TIME = 2
"""Mel frames of 10 ms per timestamp of 20 ms."""
COMPRESSION_LIMIT = 2.4
"""Compression ratio above which text may be a loop."""
LOGPROB_LIMIT = -1.0
"""Mean log-probability below which text is unsure."""
NO_SPEECH_LIMIT = 0.6
"""Probability of silence above which silence is likely."""
MADE_UP = ((0.35, -1.0), (0.6, -0.8))
"""(probability of silence, mean log-probability): text above the first and not above the second is made up."""
LOOP_TOKENS = 8
"""Longest run of tokens that is looked for in a loop."""
LOOP_SPAN = 48
"""Tokens of pure repetition after which decoding stops."""


@dataclass(frozen=True)
class Piece:
    """A part of a window that becomes a segment: tokens [first, last) and frames [start, end) of the window."""

    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True)
class Cut:
    """The pieces of a window, and how many frames after its start the next window begins."""

    pieces: tuple[Piece, ...]
    advance: int


def cut(tokens: Sequence[int], timestamps: int, frames: int) -> Cut:
    """Cut a window of `frames` frames at its timestamps (ids >= `timestamps`), after openai/whisper's seek rule.

    Two timestamps in a row close one segment and open another. A segment still open at the end is decoded again in the
    next window, except when the window ends in a single timestamp: then nothing follows. Times never decrease and are
    inside the window, a segment that begins after the window is left out, and the advance is never zero.
    """
    timed = [token >= timestamps for token in tokens]
    ends_once = timed[-2:] == [False, True]
    borders = [index for index in range(1, len(tokens)) if timed[index - 1] and timed[index]]
    if not borders:
        last = next((token for token in reversed(tokens) if token > timestamps), None)
        end = frames if last is None else min(frames, (last - timestamps) * FRAMES_PER_TIME)
        return Cut((Piece(0, len(tokens), 0, end),), frames)
    if ends_once:
        borders.append(len(tokens))
    pieces = []
    first = floor = 0
    for border in borders:
        start = max(floor, (tokens[first] - timestamps) * FRAMES_PER_TIME)
        if start >= frames:
            floor = frames
            break
        end = min(frames, max(start, (tokens[border - 1] - timestamps) * FRAMES_PER_TIME))
        pieces.append(Piece(first, border, start, end))
        first, floor = border, end
    advance = frames if ends_once else floor
    return Cut(tuple(pieces), advance or frames)


def compression_ratio(text: str) -> float:
    """Size of the text relative to its zlib compression. Repetition has a high ratio."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def is_silent(no_speech: float, logprob: float) -> bool:
    """Whether a window has no speech: silence is likely, and the decoded text is not."""
    return no_speech > NO_SPEECH_LIMIT and logprob <= LOGPROB_LIMIT


def is_made_up(no_speech: float, logprob: float) -> bool:
    """Whether text is made up: silence is possible, the text unlikely. Models turn noise into "Thank you"."""
    return any(no_speech > chance and logprob <= likely for chance, likely in MADE_UP)


def is_unsure(logprob: float, no_speech: float, looped: bool) -> bool:
    """Whether a window should be decoded again at a higher temperature."""
    return not is_silent(no_speech, logprob) and (looped or logprob < LOGPROB_LIMIT)


def is_looping(tokens: Sequence[int]) -> bool:
    """Whether the last LOOP_SPAN tokens repeat one run of at most LOOP_TOKENS tokens."""
    return _period(tokens) is not None


def without_loop(tokens: Sequence[int]) -> int:
    """How many tokens are left when the run that repeats at their end is kept once."""
    period = _period(tokens)
    if period is None:
        return len(tokens)
    count = len(tokens)
    while count > period and tokens[count - 1] == tokens[count - 1 - period]:
        count -= 1
    return count


def _period(tokens: Sequence[int]) -> int | None:
    """Length of the run that the last LOOP_SPAN tokens repeat, or None."""
    tail = tokens[-LOOP_SPAN:]
    if len(tail) < LOOP_SPAN:
        return None
    for period in range(1, LOOP_TOKENS + 1):
        if all(tail[index] == tail[index - period] for index in range(period, LOOP_SPAN)):
            return period
    return None
