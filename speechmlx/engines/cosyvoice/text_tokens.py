"""CosyVoice's tokens of text: Qwen2's or Whisper's, and marks for what is heard besides words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from speechmlx.engines.parts.whisper_package import tokenizer_module
from speechmlx.errors import ModelUnavailable

WORDS = Regex(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WHISPER_LANGUAGES = 100


class TextTokens(Protocol):
    """A tokenizer of texts with marks."""

    signs: frozenset[str]
    """Those marks."""

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, in which marks that have tokens of their own count as such."""

    def has_signs(self, text: str) -> bool:
        """Whether a text has marks besides words."""

    def count(self, text: str) -> int:
        """Number of tokens of a text."""


class QwenTokens:
    """The tokenizer of a model's folder."""

    def __init__(self, folder: Path, signs: Sequence[str]) -> None:
        """Reads vocab.json and merges.txt; `signs` are the tokens after them. Raises ModelUnavailable."""
        try:
            bpe = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
        except Exception as error:  # the library raises its own class of Exception
            raise ModelUnavailable(f"the model folder {folder.name!r} has no readable tokenizer: {error}") from error
        self.signs = frozenset(signs)
        self._tokenizer = Tokenizer(bpe)
        self._tokenizer.normalizer = normalizers.NFC()
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(WORDS, "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        self._tokenizer.decoder = decoders.ByteLevel()
        self._tokenizer.add_special_tokens([AddedToken(sign, normalized=False) for sign in signs])

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, in which signs count as such."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def has_signs(self, text: str) -> bool:
        """Whether a text has marks besides words."""
        return any(sign in text for sign in self.signs)

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self.encode(text))


class WhisperTokens:
    """Whisper's tokenizer for many languages, whose own marks (`<|en|>`) are tokens. Other `signs` are spelt out."""

    def __init__(self, signs: Sequence[str]) -> None:
        self.signs = frozenset(signs)
        self._encoding: Any = tokenizer_module().get_encoding("multilingual", num_languages=WHISPER_LANGUAGES)

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, in which Whisper's marks count as such."""
        return tuple(self._encoding.encode(text, allowed_special="all"))

    def has_signs(self, text: str) -> bool:
        """Whether a text has marks besides words."""
        return any(sign in text for sign in self.signs)

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self.encode(text))
