"""FishSpeech's tokens of text, the marks of its turns, and turns as what the network reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from speechmlx.engines.fishspeech.network import FrameTokens
from speechmlx.engines.fishspeech.shape import DualArShape
from speechmlx.errors import ModelUnavailable

WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{P}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?:\?!\S)|\s+"
)
"""What no token goes across."""
START, END, VOICE = "<|im_start|>", "<|im_end|>", "<|voice|>"
SYSTEM = "Speak out the provided text."
"""Said to the model before all else."""

Prompt = NDArray[np.int32]
"""[1 + codebooks, n]: tokens, and beneath those of frames their codes; zeros beneath others."""


class FishTokens:
    """The tokenizer of a model's folder."""

    def __init__(self, folder: Path, shape: DualArShape) -> None:
        """Reads vocab.json, merges.txt and special_tokens.json. Raises ModelUnavailable."""
        try:
            bpe = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"), ignore_merges=True)
            special = json.loads((folder / "special_tokens.json").read_bytes())
            self._marks = {name: int(special[name]) for name in (START, END, VOICE)}
            self.frames = FrameTokens(_semantic(special, shape.codes), self._marks[END])
        except Exception as error:  # the library raises its own class of Exception
            raise ModelUnavailable(f"the model folder {folder.name!r} has no readable tokenizer: {error}") from error
        if max(*self._marks.values(), self.frames.semantic + shape.codes - 1) >= shape.vocabulary:
            raise ModelUnavailable(f"the tokenizer of the model folder {folder.name!r} has more tokens than the model")
        self._tokenizer = Tokenizer(bpe)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(WORDS, "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._rows = 1 + shape.codebooks

    def encode(self, text: str) -> list[int]:
        """The tokens of a text; marks that it spells are text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def system(self) -> Prompt:
        """The turn before all others."""
        return self._prompt([*self._head("system"), *self.encode(SYSTEM), self._marks[END]])

    def asked(self, text: str) -> Prompt:
        """A turn that asks for a text, and the head of that which says it."""
        answer = [*self._head("assistant"), self._marks[VOICE]]
        return self._prompt([*self._head("user"), *self.encode(text), self._marks[END], *answer])

    def said(self, codes: Prompt) -> Prompt:
        """The frames [codebooks, n] that say it."""
        return np.concatenate([codes[:1] + self.frames.semantic, codes]).astype(np.int32)

    def ended(self) -> Prompt:
        """The end of that turn."""
        return self._prompt([self._marks[END]])

    def _head(self, role: str) -> list[int]:
        return [self._marks[START], *self.encode(f"{role}\n")]

    def _prompt(self, tokens: list[int]) -> Prompt:
        prompt = np.zeros((self._rows, len(tokens)), np.int32)
        prompt[0] = tokens
        return prompt


def _semantic(special: Mapping[str, int], codes: int) -> int:
    """The token of code 0. Raises ValueError where the others do not follow."""
    numbers = [int(special[f"<|semantic:{code}|>"]) for code in range(codes)]
    if numbers != list(range(numbers[0], numbers[0] + codes)):
        raise ValueError("the tokens of codes do not follow each other")
    return numbers[0]
