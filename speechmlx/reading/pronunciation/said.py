"""Phonemes with the tokens that they say, and one line of them."""

from __future__ import annotations

from speechmlx.reading import Pause, SpokenWord, Token

Said = list[tuple[str, Token]]
"""Phonemes and the token that they say, in the order of the text. A token without a sound has ""."""

CLOSING = frozenset(",;:.!?…”)")
OPENING = frozenset("“(")


def joined(said: Said) -> str:
    """One line of phonemes: words apart by blanks, marks at their words, letters of one token together."""
    line: list[str] = []
    before: Token | None = None
    quoted = opened = False  # within straight quotes; just after one that opens
    for phonemes, token in said:
        if not phonemes:
            continue
        straight = phonemes == '"'
        attached = opened or _attached(before, token) or (straight and quoted)
        if line and not attached:
            line.append(" ")
        line.append(phonemes)
        opened = straight and not quoted
        quoted ^= straight
        before = token
    return "".join(line).strip()


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
