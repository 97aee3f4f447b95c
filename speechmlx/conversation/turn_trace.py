"""The span of a turn. Its stages are endpointing, recognition and, in its response, language model and synthesis."""

from __future__ import annotations

import time

from speechmlx import tracing


def begin_turn(item: str, silence: float, seconds: float) -> tracing.Span:
    """The span of a turn of `seconds` of audio that became `item` now, `silence` seconds after its last speech.

    It begins with the end of speech and ends with the transcript; a response to the turn is part of it and may end
    later. Make it active for what works on the turn, and end it.
    """
    if not tracing.is_on():
        return tracing.NO_SPAN
    now = time.monotonic()
    turn = tracing.begin("turn", {"speechmlx.item": item, "speechmlx.audio_s": seconds}, now - silence)
    tracing.stage("endpointing", now - silence, now, turn)
    return turn
