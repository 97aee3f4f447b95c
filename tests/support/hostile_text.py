"""Texts that make a reader slow where its time is not linear, and a bound that a linear one keeps by far."""

from __future__ import annotations

import time
from collections.abc import Callable

LENGTH, SHORTER = 100_000, 25_000
"""Characters of NAMED parts, and of others."""
LONGEST = 30.0
"""Seconds of processor time, on a slow machine too: a reader that looks at all that went before needs many minutes."""

NAMED = [",", "—", "111,", "1.", "a-", "a.a", "a+.@a", " ", "\n", "1"]
"""Parts that were seen to make a reader slow."""
PARTS = [
    *NAMED,
    *(" — ", "\t", "\r", "A\n", "a ", ". ", '."'),
    *("*", "**", "_", "*a ", "a* ", "**a", "~~a", "*_", "`", "``a`", "`a``b", "[", "](", "[a](", "[a](x", "![", "[^"),
    *("$", "$a", "\\", " \\", "\\(", "\\[", "&", "&a", "&#", "http://", "\u2028", "> ", ">\n", "- ", "1. ", "|", "|-"),
    *("| a ", "|\n", "#", "# ", "=", "- -", "```\n", "~~~\n", "[a]: b/\n", "[a][b]"),
    *("<", "<b ", "<a b='", "<b>", "<br>", "<td>", "<!--", "<script>", "<![CDATA[", "<? x", "<x></x>", "`<"),
    *("é", "e\u0301", "\u0301", "𝐁", "👍", "²", "\u200b", "\ufe0f", "\x00", "你", "ｶﾞ", "\ud800", "“", "½", "①", "•"),
    *("'", "'a", "'a' ", "' ", "ⓐ", "Ⅳ", "[1]", "a[1]", ".²", "IV. ", "♥", "I ♥ "),
]


def seconds(work: Callable[[str], object], part: str) -> float:
    """Processor time of `work` on `part` again and again."""
    text = part * ((LENGTH if part in NAMED else SHORTER) // len(part))
    began = time.process_time()
    work(text)
    return time.process_time() - began
