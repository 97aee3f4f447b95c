"""Attempts: what a window decoded at one temperature came to, and which attempt is used.

A place is one position of the encoder's output, 20 ms.
"""

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
    """A window decoded at one temperature. Repetitions that do not follow the audio are cut already."""

    temperature: float
    tokens: tuple[int, ...]
    """With the prefix, without the end token."""
    logprobs: tuple[float, ...]
    """Of `tokens`, 0 for those of the prefix, and of the end token where it was reached."""
    prefix_length: int
    logprob: float
    """Mean log-probability."""
    compression: float
    no_speech: float
    looped: bool
    """The text repeats itself and does not follow the audio."""
    unsure: bool
    """The window should be decoded again."""
    last_place: int | None = None
    """The place that the last word attends to; None when it was not computed."""


def judge_attempt(row: TokenSequence, vocabulary: Vocabulary, places: Sequence[int] = ()) -> Attempt:
    """Judge a decoded window. `places` are what its text tokens attend to; without them a loop is not looked for.

    Text that repeats itself is cut to as many repetitions as there are in the audio.
    """
    tokens, logprobs = list(row.tokens), list(row.logprobs)
    logprob, compression = mean(logprobs), compression_ratio(vocabulary.decode(tokens))
    looped = False
    text = [index for index, token in enumerate(tokens) if token < vocabulary.eot]
    word_places = _without_marks([tokens[index] for index in text], places, vocabulary)
    if places and (row.looped or compression > COMPRESSION_LIMIT):
        text_tokens, follow = [tokens[index] for index in text], follows(places)
        kept = unrepeated(text_tokens, word_places, follow)
        if not follow:
            # Repeated tokens are likely because they repeat: only the first occurrence tells how sure the model is.
            first = unrepeated(text_tokens, [0] * len(text_tokens), True)
            logprob = mean([logprobs[text[index]] for index in first])
        dropped = set(text) - {text[index] for index in kept}
        word_places = [word_places[index] for index in kept]
        tokens = [token for index, token in enumerate(tokens) if index not in dropped]
        logprobs = [value for index, value in enumerate(logprobs) if index not in dropped]
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
        word_places[-1] if word_places else None,
    )


def choose_attempt(attempts: Sequence[Attempt]) -> Attempt:
    """The last attempt if it is sure, else the best: first by LOGPROB_LIMIT, then not looped, then by likelihood."""
    if not attempts[-1].unsure:
        return attempts[-1]
    return max(attempts, key=lambda attempt: (attempt.logprob >= LOGPROB_LIMIT, not attempt.looped, attempt.logprob))


def _without_marks(tokens: Sequence[int], places: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """`places` with each mark at the place of the word before it: the attention of marks may be anywhere."""
    word_places: list[int] = []
    for token, place in zip(tokens, places, strict=False):
        is_mark = vocabulary.decode([token]).strip() in MARKS
        word_places.append(word_places[-1] if is_mark and word_places else place)
    return word_places
