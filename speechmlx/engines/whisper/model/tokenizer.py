"""Whisper's vocabulary: special ids, the tokens before a window, and tokens back into words."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from speechmlx import languages
from speechmlx.engines.parts.whisper_package import tokenizer_module
from speechmlx.errors import Unsupported
from speechmlx.types import Listen, Transcribe

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces: every whole character counts as a word."""


@dataclass(frozen=True)
class WordTokens:
    """A word and its token ids."""

    text: str
    tokens: tuple[int, ...]


class Vocabulary:
    """The tokens of one model. `size` is the width of its logits; it decides how many languages the model knows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.multilingual = size >= 51865
        languages = size - 51765 - int(self.multilingual)
        name = "multilingual" if self.multilingual else "gpt2"
        self._encoding: Any = tokenizer_module().get_encoding(name=name, num_languages=languages)
        self.languages: tuple[str, ...] = (
            tuple(tokenizer_module().LANGUAGES)[:languages] if self.multilingual else ("en",)
        )
        token = self._encoding.encode_single_token
        self.eot: int = token("<|endoftext|>")
        self.sot: int = token("<|startoftranscript|>")
        self.translate: int = token("<|translate|>")
        self.transcribe: int = token("<|transcribe|>")
        self.sot_lm: int = token("<|startoflm|>")
        self.sot_prev: int = token("<|startofprev|>")
        self.no_speech: int = token("<|nospeech|>")
        self.no_timestamps: int = token("<|notimestamps|>")
        self.timestamps: int = token("<|0.00|>")
        """Id of the first timestamp. All ids from it on are timestamps, 20 ms apart."""

    def encode(self, text: str) -> list[int]:
        return list(self._encoding.encode(text, disallowed_special=()))

    def phrases(self, texts: Sequence[str]) -> list[int]:
        """Tokens of `texts`, spoken one after the other; blank ones are left out."""
        return [token for text in texts if text.strip() for token in self.encode(" " + text.strip())]

    def listed(self, names: Sequence[str], room: int) -> list[int]:
        """Tokens of a sentence that lists the first `names`, as many as fit into `room` tokens.

        A sentence, since without its marks the text that follows has none either.
        """
        tokens: list[int] = []
        sentence = ""
        for name in (name.strip() for name in names if name.strip()):
            sentence += f", {name}" if sentence else f" {name}"
            longer = self.encode(f"{sentence}.")
            if len(longer) > room:
                break
            tokens = longer
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; ids from `eot` on have none."""
        return str(self._encoding.decode([token for token in tokens if token < self.eot]))

    def utf8(self, token: int) -> bytes:
        """The bytes of one token; a character may be spread over several tokens."""
        return bytes(self._encoding.decode_single_token_bytes(token))

    def language_code(self, language: str) -> str:
        """The model's code for `language`. Raises Unsupported, which names the languages allowed."""
        code = languages.match(language, self.languages)
        if code is None:
            raise languages.refusal(language, self.languages, "this model")
        return code

    def candidates(self, request: Transcribe | Listen) -> tuple[str, ...]:
        """Codes of the languages that the request allows. A single one is certain; none means any language.

        Raises Unsupported when the request names languages and the model knows none of them.
        """
        if request.language is not None:
            return (self.language_code(request.language),)
        known, unknown = list[str](), list[Unsupported]()
        for language in request.languages:
            try:
                known.append(self.language_code(language))
            except Unsupported as error:
                unknown.append(error)
        if unknown and not known:
            raise unknown[0]
        return tuple(dict.fromkeys(known)) if self.multilingual else self.languages

    @cached_property
    def language_tokens(self) -> range:
        return range(self.sot + 1, self.sot + 1 + len(self.languages))

    def language_token(self, code: str) -> int:
        return self.language_tokens[self.languages.index(code)]

    def start(self, language: str, task: str) -> list[int]:
        """The tokens that every window starts with: `sot`, and for a multilingual model the language and the task."""
        if not self.multilingual:
            return [self.sot]
        return [self.sot, self.language_token(language), self.translate if task == "translate" else self.transcribe]

    @cached_property
    def blank(self) -> tuple[int, ...]:
        """Ids that a window must not begin with."""
        return (*self.encode(" "), self.eot)

    @cached_property
    def special(self) -> tuple[int, ...]:
        """Ids that are never sampled."""
        inner = (self.sot, self.translate, self.transcribe, self.sot_lm, self.sot_prev, self.no_speech)
        return (*inner, *self.language_tokens, self.no_timestamps)

    @cached_property
    def non_speech(self) -> tuple[int, ...]:
        """Ids of symbols that annotate and do not transcribe: brackets, notes, speaker dashes."""
        notes = "♩♪♫♬♭♮♯"
        runs = "<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪".split()
        symbols = [*'"#()*+/:;<=>@[\\]^_`{|}~「」『』', *runs, *notes]
        ids = {self.encode(" -")[0], self.encode(" '")[0]}
        for symbol in symbols:
            for tokens in (self.encode(symbol), self.encode(" " + symbol)):
                if len(tokens) == 1 or symbol in notes:
                    ids.add(tokens[0])
        return tuple(sorted(ids))

    def words(self, tokens: Sequence[int], language: str) -> list[WordTokens]:
        """Split text tokens into the words of `language`. A word keeps its leading space."""
        pieces = self._characters(tokens)
        if language in UNSPACED:
            return pieces
        words: list[WordTokens] = []
        for piece in pieces:
            alone = piece.text.startswith(" ") or piece.text.strip() in string.punctuation
            if alone or not words:
                words.append(piece)
            else:
                words[-1] = WordTokens(words[-1].text + piece.text, words[-1].tokens + piece.tokens)
        return words

    def _characters(self, tokens: Sequence[int]) -> list[WordTokens]:
        """Split tokens into the shortest runs of whole characters. An incomplete character at the end is kept."""
        whole = self.decode(tokens)
        pieces: list[WordTokens] = []
        run: list[int] = []
        taken = 0
        for token in tokens:
            run.append(token)
            text = self.decode(run)
            broken = text.find("�")
            if broken < 0 or whole[taken + broken : taken + broken + 1] == "�":
                pieces.append(WordTokens(text, tuple(run)))
                taken += len(text)
                run = []
        if run:
            pieces.append(WordTokens(self.decode(run), tuple(run)))
        return pieces
