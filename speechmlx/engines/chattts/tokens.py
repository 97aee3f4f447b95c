"""ChatTTS's tokens of text: words in small letters and their parts, and marks in brackets."""

from __future__ import annotations

import re
from pathlib import Path

from tokenizers import Tokenizer

from speechmlx.errors import ModelUnavailable

SPEECH, SPEECH_END, SPEAKER, NO_SPEAKER = "[Stts]", "[Ptts]", "[spk_emb]", "[empty_spk]"
"""Around what is said; the place of the speaker's vector, or that there is none."""
REFINED, REFINED_END, REFINED_OVER = "[Sbreak]", "[Pbreak]", "[Ebreak]"
"""Around a text that is to be refined, and after the refined one."""
HEARD = ("[uv_break]", "[v_break]", "[lbreak]", "[llbreak]", "[undefine]", "[laugh]")
"""What is heard besides words. Models need not know all of them."""
MANNER = re.compile(r"\[(oral|laugh|break|speed)_\d\]")
"""How a text is refined or said."""
MARK = re.compile(r"\[[a-z]+(?:_[a-z0-9]+)?\]")
"""What may be a mark of a text."""
NEEDED = (SPEECH, SPEECH_END, SPEAKER, REFINED, REFINED_END, REFINED_OVER)


class ChatTokens:
    """The tokenizer of a model's folder."""

    def __init__(self, folder: Path) -> None:
        """Reads tokenizer.json. Raises ModelUnavailable for one that has not the marks of ChatTTS."""
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises its own class of Exception
            raise ModelUnavailable(f"the model folder {folder.name!r} has no readable tokenizer: {error}") from error
        self._tokenizer.no_truncation()  # the published file cuts texts, and fills them up
        self._tokenizer.no_padding()
        if missing := [mark for mark in NEEDED if self._tokenizer.token_to_id(mark) is None]:
            raise ModelUnavailable(f"the tokenizer of {folder.name!r} does not know {', '.join(missing)}")
        self._heard = {self.number(mark) for mark in HEARD if self._tokenizer.token_to_id(mark) is not None}

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self._tokenizer.get_vocab_size())

    def number(self, mark: str) -> int:
        """The token of a mark that the model knows."""
        number: int | None = self._tokenizer.token_to_id(mark)
        assert number is not None, mark
        return number

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, in which marks count as such."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self.encode(text))

    def knows(self, mark: str) -> bool:
        """Whether a text may have this mark: one of HEARD or MANNER that is a token."""
        return (mark in HEARD or MANNER.fullmatch(mark) is not None) and self._tokenizer.token_to_id(mark) is not None

    def has_marks(self, text: str) -> bool:
        """Whether a text has such a mark."""
        return any(self.knows(found[0]) for found in MARK.finditer(text))

    def said(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """Words and what is heard, of tokens that a model wrote: other marks would change what is said."""
        return tuple(token for token in tokens if token in self._heard or not self._is_mark(token))

    def _is_mark(self, token: int) -> bool:
        text = self._tokenizer.id_to_token(token)
        return text is None or (len(text) > 1 and text[0] == "[" and text[-1] == "]")
