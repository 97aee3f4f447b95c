"""Live recognition by families of the package: `Listen`, with word times, each word committed once.

The package's own sessions give text without times, so a stream here is composed of the parts below them. A family that
can hear live has one class: made of a model and a request, it is a `Stream` whose state has a bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from speechmlx.engines import Stream
from speechmlx.engines.mlx_audio.live.nemotron import NemotronStream
from speechmlx.engines.mlx_audio.live.parakeet import ParakeetStream
from speechmlx.engines.mlx_audio.live.voxtral import VoxtralStream

if TYPE_CHECKING:
    from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
    from speechmlx.types import Listen


class LiveRecognition(Stream, Protocol):
    """One live input."""

    held: int
    """Bytes of the keys and values that it may come to hold; 0 once it is closed."""


LIVE: Mapping[str, Callable[[BridgedModel, Listen], LiveRecognition]] = {
    "nemotron_asr": NemotronStream,
    "parakeet": ParakeetStream,
    "voxtral_realtime": VoxtralStream,
}
"""The families that hear live, and their streams."""
