"""The loop of token after token: sequences of text and of speech come and go between the steps of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.chattts.drawing import DrawingRows, DrawingRule, choose, counted
from speechmlx.engines.chattts.network import GROUPS, ChatModel
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.decoder import TokenLoop
from speechmlx.engines.lm.kv_cache import evaluate, new_cache
from speechmlx.engines.lm.sampling import NOT_FINITE


@dataclass(eq=False)
class ChatSequence:
    """One sequence of the language model: a prompt of text, and the text or the frames of codes that follow it."""

    prompt: tuple[int, ...]
    is_speech: bool
    rule: DrawingRule
    random: np.random.Generator
    limit: int
    """Tokens or frames that are drawn at most."""
    end: int
    """The text token, or the code of any group, that ends it."""
    speaker: tuple[int, NDArray[np.float32]] | None = None
    """A place of the prompt, and the vector that is there instead of a token."""
    cache: list[Any] | None = None
    read: int = 0
    """Tokens of the prompt whose keys and values are there."""
    tokens: list[Sequence[int]] = field(init=False)
    """The last of the prompt, and what was drawn after it: each GROUPS codes, or a text token as often."""
    ahead: list[int] | None = None
    states: list[mx.array] = field(default_factory=list)
    """[width]: what each token or frame was drawn from, also those that are not read yet."""
    is_over: bool = False
    is_cut_off: bool = False
    """It is over for want of places."""

    def __post_init__(self) -> None:
        self.tokens = [self.prompt[-1:] * GROUPS]

    @property
    def drawn(self) -> list[Sequence[int]]:
        """Text tokens, or frames."""
        return self.tokens[1:]

    @property
    def last(self) -> int:
        """Number of `tokens` with which it is cut off."""
        return 1 + self.limit

    @property
    def unread(self) -> int:
        """Tokens of its prompt that are not read yet, but for the last one, which is read with the first draw."""
        return len(self.prompt) - 1 - self.read

    @property
    def is_reading(self) -> bool:
        """Whether more of its prompt than the last token is not read yet."""
        return self.unread > 0

    @property
    def reads_frames(self) -> bool:
        """Whether what it reads next is a frame."""
        return self.is_speech and bool(self.states)

    def take(self, token: Sequence[int]) -> None:
        """What was drawn."""
        ends = self.end in token
        if not ends:
            self.tokens.append(token)
        self.is_cut_off = not ends and len(self.tokens) >= self.last
        self.is_over = ends or self.is_cut_off


class SequenceLoop(TokenLoop[ChatSequence]):
    """Draws the next text token or frame of each sequence, in one step for all."""

    def __init__(self, model: ChatModel, pipelined: bool = False) -> None:
        super().__init__(pipelined)
        self._model = model

    def read(self, sequence: ChatSequence, most: int) -> int:
        """Read up to `most` tokens of a prompt that are unread. Returns how many."""
        if sequence.cache is None:
            sequence.cache = new_cache(self._model)
        count = min(most, sequence.unread)
        end = sequence.read + count
        rows = self._model.embedded(mx.array(sequence.prompt[sequence.read : end]))
        if sequence.speaker is not None and sequence.read <= sequence.speaker[0] < end:
            place, vector = sequence.speaker
            rows[place - sequence.read] = mx.array(vector).astype(rows.dtype)
        self._model.states(rows[None], sequence.cache)
        evaluate(sequence.cache)
        sequence.read = end
        return count

    def _next(self, rows: Sequence[ChatSequence], cache: list[Any], last: mx.array) -> mx.array:
        """The next frame, or text token GROUPS times [rows, GROUPS]; NOT_FINITE where logits are no numbers."""
        states = self._model.states(self._inputs(rows, last)[:, None], cache)[:, 0]
        kinds = [[place for place, row in enumerate(rows) if row.is_speech is kind] for kind in (True, False)]
        if all(kinds):
            parts = [
                self._drawn([rows[n] for n in kind], states[mx.array(kind)], last[mx.array(kind)]) for kind in kinds
            ]
            found = mx.concatenate(parts)[mx.array(np.argsort([*kinds[0], *kinds[1]]))]
        else:
            found = self._drawn(rows, states, last)
        for place, row in enumerate(rows):
            row.states.append(states[place : place + 1].flatten())  # the same memory
        return found

    def _inputs(self, rows: Sequence[ChatSequence], last: mx.array) -> mx.array:
        """What each sequence reads [rows, width]."""
        if all(row.reads_frames for row in rows):
            return self._model.embedded_codes(last)
        if not any(row.reads_frames for row in rows):
            return self._model.embedded(last[:, 0])
        is_frame = _column(rows)
        codes, text = mx.where(is_frame, last, 0), mx.where(is_frame, 0, last)
        return mx.where(is_frame, self._model.embedded_codes(codes), self._model.embedded(text[:, 0]))

    def _drawn(self, rows: Sequence[ChatSequence], states: mx.array, last: mx.array) -> mx.array:
        """`_next` of rows of one kind, which are drawn from `states` [rows, width]."""
        is_speech, counts = rows[0].is_speech, None
        logits = self._model.code_logits(states) if is_speech else self._model.text_logits(states)[:, None]
        if is_speech:
            frames = last if all(row.states for row in rows) else mx.where(_column(rows), last, -1)
            counts = counted([row.tokens[1 : len(row.states)] for row in rows], frames, logits.shape[-1])
        each = logits.shape[1]
        chance = np.stack([row.random.random(each, np.float32) for row in rows])
        rules = DrawingRows.of([row.rule for row in rows], chance, [not row.states for row in rows], each)
        tokens = choose(logits.reshape(-1, logits.shape[-1]), rules, rows[0].end, counts).reshape(-1, each)
        good = mx.isfinite(logits).all(axis=(1, 2))[:, None]
        return mx.broadcast_to(mx.where(good, tokens, NOT_FINITE), last.shape)


def _column(rows: Sequence[ChatSequence]) -> mx.array:
    """Whether what is read of each is a frame [rows, 1]."""
    return mx.array([[row.reads_frames] for row in rows])


def failure(sequence: ChatSequence) -> NotFinite:
    """The error of a sequence whose numbers are none."""
    return NotFinite(f"the logits of the next {'frame of codes' if sequence.is_speech else 'text token'}")
