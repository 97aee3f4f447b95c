"""Reads English text: classifies its tokens and says each once, by the one function of its class.

At each place the recognisers that may begin there are asked. The longest match wins; among equals, the one that stands
first in RULES. A recogniser looks a bounded number of characters ahead and back, and no text is read twice, so the time
is linear in the length.
"""

from __future__ import annotations

from speechmlx.reading.english.scanner import scan
from speechmlx.reading.english.speech import tokens
from speechmlx.reading.tokens import Token


def words(text: str, british: bool = False) -> list[Token]:
    """The words and pauses of one sentence or block, with offsets into it. With `british`, 3/4 is the third of April.

    Nothing in it makes an error: what has no sound (an emoji) gives no token.
    """
    return tokens(text, scan(text, british))
