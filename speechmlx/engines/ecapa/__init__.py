"""ECAPA-TDNN tells speakers apart: Silero VAD finds speech, the encoder hears who speaks in short windows of it."""

from speechmlx.engines.ecapa.engine import load

__all__ = ["load"]
