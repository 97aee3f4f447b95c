"""Phonemes with the tokens that they say, and one line of them."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.reading.tokens import Pause, SpokenWord, Token

Said = list[tuple[str, Token]]
"""Phonemes and the token that they say, in the order of the text. A token without a sound has ""."""

CLOSING = frozenset(",;:.!?…”)")
OPENING = frozenset("“(")


@dataclass(frozen=True, slots=True)
class PhonemeLine:
    """One line of phonemes, and where it says each token: text[start:end], empty for a token without a sound."""

    text: str
    places: tuple[tuple[int, int], ...]


def joined(said: Said) -> str:
    """One line of phonemes: words apart by blanks, marks at their words, letters of one token together."""
    return laid_out(said).text


def laid_out(said: Said) -> PhonemeLine:
    """As `joined`, with the place of each token."""
    line: list[str] = []
    places: list[tuple[int, int]] = []
    end = 0
    before: Token | None = None
    quoted = opened = False  # within straight quotes; just after one that opens
    for phonemes, token in said:
        if not phonemes:
            places.append((end, end))
            continue
        straight = phonemes == '"'
        attached = opened or _attached(before, token) or (straight and quoted)
        if line and not attached:
            line.append(" ")
            end += 1
        line.append(phonemes)
        places.append((end, end + len(phonemes)))
        end += len(phonemes)
        opened = straight and not quoted
        quoted ^= straight
        before = token
    text = "".join(line)
    left, length = len(text) - len(text.lstrip()), len(text.strip())
    return PhonemeLine(text.strip(), tuple((_within(a - left, length), _within(b - left, length)) for a, b in places))


def _within(place: int, length: int) -> int:
    return min(max(place, 0), length)


def _attached(before: Token | None, token: Token) -> bool:
    """Whether no blank stands between two tokens."""
    if isinstance(token, Pause):
        return token.mark in CLOSING
    if isinstance(before, Pause):
        return before.mark in OPENING
    return before is not None and before.is_letter and token.is_letter and same_word(before, token)


def same_word(one: Token, other: Token) -> bool:
    """Whether two tokens are words that stand for the same characters of the input."""
    both = isinstance(one, SpokenWord) and isinstance(other, SpokenWord)
    return both and (one.start, one.end) == (other.start, other.end)
