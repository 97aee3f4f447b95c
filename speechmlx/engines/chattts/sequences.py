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
from speechmlx.engines.lm.batch import Batch
from speechmlx.engines.lm.kv_cache import evaluate, new_cache


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
    drawn: list[tuple[int, ...]] = field(default_factory=list)
    """Text tokens, one each, or frames."""
    states: list[mx.array] = field(default_factory=list)
    """[width]: what each frame was drawn from."""
    is_over: bool = False
    is_cut_off: bool = False
    """It is over for want of places."""

    @property
    def unread(self) -> int:
        """Tokens of its prompt that are not read yet, but for the last one, which is read with the first draw."""
        return len(self.prompt) - 1 - self.read

    @property
    def is_reading(self) -> bool:
        """Whether more of its prompt than the last token is not read yet."""
        return self.unread > 0

    @property
    def longest(self) -> int:
        """Tokens that it may come to."""
        return len(self.prompt) + self.limit

    def take(self, tokens: tuple[int, ...], state: mx.array) -> None:
        """What was drawn, and from which state [width]."""
        if self.end not in tokens:
            self.drawn.append(tokens)
            if self.is_speech:
                self.states.append(state)
        self.is_cut_off = self.end not in tokens and len(self.drawn) >= self.limit
        self.is_over = self.end in tokens or self.is_cut_off


class SequenceLoop:
    """Draws the next token or frame of each sequence, in one step for all."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.batch = Batch[ChatSequence]()

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

    def step(self, sequences: Sequence[ChatSequence]) -> list[ChatSequence]:
        """Draw once for each; all have read their prompts. Returns those whose numbers are none: they are over."""
        self.batch.select(sequences)
        members, cache = list(self.batch.members), self.batch.cache
        states = self._model.states(self._inputs(members)[:, None], cache)[:, 0]
        speaking = [place for place, one in enumerate(members) if one.is_speech]
        writing = [place for place, one in enumerate(members) if not one.is_speech]
        found: list[tuple[list[int], mx.array, mx.array]] = []
        if writing:
            found.append((writing, *self._text([members[n] for n in writing], states[mx.array(writing)])))
        if speaking:
            found.append((speaking, *self._frames([members[n] for n in speaking], states[mx.array(speaking)])))
        mx.eval([layer.state for layer in cache], states, [(tokens, good) for _, tokens, good in found])
        failed = []
        for places, tokens, good in found:
            for place, row, fine in zip(places, np.array(tokens).tolist(), np.array(good).tolist(), strict=True):
                if fine:
                    members[place].take(tuple(row), states[place])
                else:
                    members[place].is_over = True
                    failed.append(members[place])
        for member in members:
            if member.is_over:
                self.remove(member)
        return failed

    def remove(self, sequence: ChatSequence) -> None:
        """Free the keys and values of a sequence."""
        self.batch.remove([sequence])
        sequence.cache = None

    def _inputs(self, members: Sequence[ChatSequence]) -> mx.array:
        """What each sequence reads now [n, width]: the last of its prompt, or what it drew last."""
        last = [member.drawn[-1] if member.drawn else member.prompt[-1:] for member in members]
        is_frame = mx.array([len(one) == GROUPS for one in last])
        text = self._model.embedded(mx.array([one[0] if len(one) == 1 else 0 for one in last]))
        if not any(len(one) == GROUPS for one in last):
            return text
        frames = self._model.embedded_codes(mx.array([one if len(one) == GROUPS else (0,) * GROUPS for one in last]))
        return mx.where(is_frame[:, None], frames, text)

    def _text(self, members: Sequence[ChatSequence], states: mx.array) -> tuple[mx.array, mx.array]:
        """The next text token of each [n, 1], and whether its numbers are finite [n]."""
        logits = self._model.text_logits(states)
        tokens = choose(logits, _rows(members, 1), members[0].end)
        return tokens[:, None], mx.isfinite(logits).all(axis=-1)

    def _frames(self, members: Sequence[ChatSequence], states: mx.array) -> tuple[mx.array, mx.array]:
        """The next frame of each [n, GROUPS], and whether its numbers are finite [n]."""
        logits = self._model.code_logits(states)
        counts = counted([member.drawn for member in members], GROUPS, logits.shape[-1])
        flat = logits.reshape(-1, logits.shape[-1])
        codes = choose(flat, _rows(members, GROUPS), members[0].end, counts)
        return codes.reshape(-1, GROUPS), mx.isfinite(logits).all(axis=(1, 2))


def _rows(members: Sequence[ChatSequence], each: int) -> DrawingRows:
    chance = np.stack([member.random.random(each, np.float32) for member in members])
    return DrawingRows.of([member.rule for member in members], chance, [not member.drawn for member in members], each)


def failure(sequence: ChatSequence) -> NotFinite:
    """The error of a sequence whose numbers are none."""
    return NotFinite(f"the logits of the next {'frame of codes' if sequence.is_speech else 'text token'}")
