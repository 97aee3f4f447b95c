"""A window decoded at one temperature: what of it is kept, how likely that is, and which attempt is the window's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechmlx.engines.whisper.decoding.quality import (
    COMPRESSION_LIMIT,
    LOGPROB_LIMIT,
    compression_ratio,
    is_unsure,
    mean,
)
from speechmlx.engines.whisper.offline.repeats import follows, unrepeated
from speechmlx.engines.whisper.offline.word_timing import MARKS

if TYPE_CHECKING:
    from speechmlx.engines.whisper.decoding.greedy import TokenSequence
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary


@dataclass(frozen=True)
class Attempt:
    """A window decoded at one temperature."""

    temperature: float
    tokens: tuple[int, ...]
    """Those given included."""
    logprobs: tuple[float, ...]
    prefix_length: int
    logprob: float
    compression: float
    no_speech: float
    looped: bool
    """It repeats itself, and does not follow the audio."""
    unsure: bool
    last_place: int | None = None
    """The place its last word was heard at, where that was looked for."""


def judge_attempt(row: TokenSequence, vocabulary: Vocabulary, places: Sequence[int] = ()) -> Attempt:
    """What a finished row came to; `places` of 20 ms are where its text's tokens were heard, if it was doubted.

    A text that repeats itself is cut to what was heard as often as it is said.
    """
    tokens, logprobs = list(row.tokens), list(row.logprobs)
    logprob, compression = mean(logprobs), compression_ratio(vocabulary.decode(tokens))
    looped = False
    text = [index for index, token in enumerate(tokens) if token < vocabulary.eot]
    heard = _without_marks([tokens[index] for index in text], places, vocabulary)
    if places and (row.looped or compression > COMPRESSION_LIMIT):
        said, follow = [tokens[index] for index in text], follows(places)
        kept = unrepeated(said, heard, follow)
        if not follow:
            # What is said again is likely because it was said: only what is new tells how sure the model is.
            logprob = mean([logprobs[text[index]] for index in unrepeated(said, [0] * len(said), True)])
        gone = set(text) - {text[index] for index in kept}
        heard = [heard[index] for index in kept]
        tokens = [token for index, token in enumerate(tokens) if index not in gone]
        logprobs = [value for index, value in enumerate(logprobs) if index not in gone]
        compression = compression_ratio(vocabulary.decode(tokens))
        looped = not follow and compression > COMPRESSION_LIMIT and not follows([places[index] for index in kept])
    return Attempt(
        row.rules.temperature,
        (*row.sequence[: row.prefix_length], *tokens),
        (0.0,) * row.prefix_length + tuple(logprobs),
        row.prefix_length,
        logprob,
        compression,
        row.no_speech,
        looped,
        is_unsure(logprob, row.no_speech, looped),
        heard[-1] if heard else None,
    )


def choose_attempt(attempts: Sequence[Attempt]) -> Attempt:
    """The last attempt if it passed, else the likeliest: one likely enough first, and of those one that is no loop."""
    if not attempts[-1].unsure:
        return attempts[-1]
    return max(attempts, key=lambda one: (one.logprob >= LOGPROB_LIMIT, not one.looped, one.logprob))


def _without_marks(tokens: Sequence[int], places: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """`places` of `tokens`, marks, which are heard anywhere, with the word before them; none where there are none."""
    found: list[int] = []
    for token, place in zip(tokens, places, strict=False):
        is_mark = vocabulary.decode([token]).strip() in MARKS
        found.append(found[-1] if is_mark and found else place)
    return found
