"""Text tokens: a role's text into tokens, and the model's tokens into text as they come."""

from __future__ import annotations

import codecs
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from speechmlx.errors import ModelUnavailable

TOKENIZER = "tokenizer.model"
MARK = "<system>"
"""Before and after a role."""
SPACE = "▁"
"""Stands for a space in a piece."""


class MoshiTokenizer:
    """The SentencePiece model of a checkpoint."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelUnavailable where the folder has no readable one."""
        path = folder / TOKENIZER
        try:
            self._pieces = SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            why = f"{TOKENIZER} of the model folder {folder.name!r} cannot be read: {error}"
            raise ModelUnavailable(why) from error

    @property
    def count(self) -> int:
        """Number of tokens."""
        return int(self._pieces.vocab_size())

    def role(self, text: str) -> tuple[int, ...]:
        """Tokens of a role between its marks; () for an empty one."""
        text = text.strip()
        if not text:
            return ()
        if not (text.startswith(MARK) and text.endswith(MARK) and len(text) > len(MARK)):
            text = f"{MARK} {text} {MARK}"
        return tuple(self._pieces.encode(text))

    def piece(self, token: int) -> str | bytes:
        """The text of a token, or the byte that it stands for; "" for a token without text."""
        if not 0 <= token < self.count or self._pieces.is_control(token) or self._pieces.is_unknown(token):
            return ""
        piece: str = self._pieces.id_to_piece(token)
        if self._pieces.is_byte(token):
            return bytes([int(piece[3:5], 16)])
        return piece.replace(SPACE, " ")


class MoshiWriting:
    """The text of one conversation. Bytes wait until they are characters."""

    def __init__(self, tokenizer: MoshiTokenizer) -> None:
        self._tokenizer = tokenizer
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = False

    def add(self, token: int) -> str:
        """The text that `token` completes."""
        piece = self._tokenizer.piece(token)
        if isinstance(piece, bytes):
            text = self._decode(piece)
            self._pending = not text
            return text
        broken = self._decode(b"", True) if piece and self._pending else ""
        self._pending = self._pending and not piece
        return broken + piece
