"""A sentence on its way to sound while it is still being written: speech is drawn block by block, as its text comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechmlx.engines.cosyvoice.drawing import WINDOW, RepetitionAwareSampler
from speechmlx.engines.cosyvoice.interleaving import Interleaving
from speechmlx.engines.cosyvoice.live_text import LiveText
from speechmlx.engines.cosyvoice.utterance import LONGEST, SHORTEST, TokenSound, Utterance
from speechmlx.engines.lm.kv_cache import cut


@dataclass(eq=False, kw_only=True)
class StreamedUtterance(Utterance):
    """An utterance whose text comes among its speech. Between two blocks it waits for the text of the next one."""

    text: LiveText
    mix: Interleaving
    seed: int
    blocks: int = 0
    is_final: bool = False
    """Its text is read whole."""

    @classmethod
    def begin(
        cls,
        mix: Interleaving,
        text: LiveText,
        seed: int,
        sound: TokenSound,
        silent: frozenset[int],
        cache: list[Any],
    ) -> StreamedUtterance:
        """One that has read nothing of `text`."""
        tokens, sampler = list(mix.first), RepetitionAwareSampler(seed, 0)
        one = cls(tokens, len(tokens), 0, sampler, sound, silent, cache, text=text, mix=mix, seed=seed)
        one.go_on()
        return one

    @property
    def is_waiting(self) -> bool:
        """Whether a block is over, and the next one is not begun."""
        return not self.is_final and len(self.tokens) == self.last

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do before more text comes."""
        return self.is_waiting and not (self.is_reading or self.sounds or self.mix.is_ready(self.text))

    def add(self, token: int) -> None:
        """Take the next token of the language model."""
        super().add(token)
        self.is_whole = self.is_whole and self.is_final

    def go_on(self) -> None:
        """Begin the next block whose text is there, if the last one is over."""
        while self.is_waiting and (block := self.mix.next(self.text)) is not None:
            recent = [*self.tokens[-min(self.spoken, WINDOW - 1) :], -1] if self.spoken else []
            self.tokens += block.tokens
            self.prompt += len(block.tokens)
            self.blocks += 1
            self.words = self.text.count
            self.is_final = block.count is None
            if block.count is None:
                self.limit = max(self.spoken + 1, LONGEST * self.words)
            else:
                self.limit = self.spoken + block.count
            self.sampler = self._sampler(SHORTEST * self.mix.rest if block.count is None else block.count, recent)
            self.ahead = None
            if self.cache is not None:
                cut(self.cache, self.read)  # a token may have been drawn after the block in vain

    def _sampler(self, least: int, recent: Sequence[int]) -> RepetitionAwareSampler:
        """Of a block, so that what was drawn in vain changes nothing."""
        return RepetitionAwareSampler(
            (self.seed + (self.blocks << 16)) % 2**32, least, self.speech, self.mix.end, recent
        )
