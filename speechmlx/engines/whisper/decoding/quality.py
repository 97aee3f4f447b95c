"""Pure rules around a decoded window: what of it counts, where the next one begins, and whether it can be trusted."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

FRAMES_PER_TIME = 2
"""Mel frames of 10 ms per timestamp of 20 ms."""
COMPRESSION_LIMIT = 2.4
LOGPROB_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6
MADE_UP = ((0.35, -1.0), (0.6, -0.8))
"""Probability of silence over which words are made up that are no likelier than the log-probability with it."""
LOOP_TOKENS = 8
"""Longest run of tokens watched for repeating."""
LOOP_SPAN = 48
"""Tokens that must be nothing but repetition before a row is stopped."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a window that becomes a segment: tokens [first, last) and frames from the window's start."""

    first: int
    last: int
    start: int
    end: int


@dataclass(frozen=True)
class Cut:
    """What a window gave, and how many frames on the next one begins."""

    pieces: tuple[Piece, ...]
    advance: int


def cut(tokens: Sequence[int], timestamps: int, frames: int) -> Cut:
    """Cut a window of `frames` frames at its timestamps (ids >= `timestamps`), after openai/whisper's seek rule.

    Two timestamps in a row close one segment and open another; what is open at the end is decoded again in the next
    window, except where the window ends in one timestamp, which says that nothing follows. Times are monotonic and
    inside the window, what begins after it is left out, and the advance is never zero.
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
    """How many times smaller zlib makes the text; repetition compresses well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def is_silent(no_speech: float, logprob: float) -> bool:
    """Nothing was said: likely silence, and the words were not likely."""
    return no_speech > NO_SPEECH_LIMIT and logprob <= LOGPROB_LIMIT


def is_made_up(no_speech: float, logprob: float) -> bool:
    """Words that the model hardly believes, where it may hear nothing: noise after speech is said to be thanks."""
    return any(no_speech > chance and logprob <= likely for chance, likely in MADE_UP)


def is_unsure(logprob: float, no_speech: float, looped: bool) -> bool:
    """The window should be decoded again at a higher temperature."""
    return not is_silent(no_speech, logprob) and (looped or logprob < LOGPROB_LIMIT)


def is_looping(tokens: Sequence[int]) -> bool:
    """The last LOOP_SPAN tokens are one run of at most LOOP_TOKENS tokens, over and over."""
    return _period(tokens) is not None


def without_loop(tokens: Sequence[int]) -> int:
    """How many of the tokens are left when a run at their end that repeats is there only once."""
    period = _period(tokens)
    if period is None:
        return len(tokens)
    count = len(tokens)
    while count > period and tokens[count - 1] == tokens[count - 1 - period]:
        count -= 1
    return count


def _period(tokens: Sequence[int]) -> int | None:
    tail = tokens[-LOOP_SPAN:]
    if len(tail) < LOOP_SPAN:
        return None
    for period in range(1, LOOP_TOKENS + 1):
        if all(tail[index] == tail[index - period] for index in range(period, LOOP_SPAN)):
            return period
    return None
