"""An hour of speech for live wires: a minute that is sent again and again, and the words that must come of it."""

from __future__ import annotations

from support.scripted_conversation import tone

MINUTE = b"".join(
    tone(1.5, rate=16000) + tone(1.0, level=0.0, rate=16000) + tone(2.5, rate=16000) + tone(1.0, level=0.0, rate=16000)
    for _ in range(10)
)
"""PCM16 at 16 kHz, for the scripted recogniser."""
WORDS = 400
"""Words of MINUTE."""
PIECE = 16000
"""Bytes of a message."""
LINES_KEPT = {"asr_diff": 300}
"""Seconds of words that the client of a wire keeps."""


def words_kept(wire: str, minutes: int) -> int:
    """Words that a client of `wire` has at the end."""
    return min(minutes * WORDS, LINES_KEPT.get(wire, 10**9) * WORDS // 60)
