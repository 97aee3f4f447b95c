"""How the answer to a request for speech ends."""

from __future__ import annotations

from typing import Any

from speechmlx.types import Chunk, Event, Usage


def last_events(samples: int, rate: int, **counts: Any) -> list[Event]:
    """A short silence where no sound was made, and the usage: `samples` at `rate` Hz, and other `counts` of it."""
    silence = [] if samples else [Chunk.silence(rate)]
    made = samples or len(silence[0].pcm16) // 2
    return [*silence, Usage(audio_out=made / rate, **counts)]
