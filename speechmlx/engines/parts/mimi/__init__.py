"""Mimi: a codec of speech at 24 kHz with 12.5 frames a second, encoded and decoded frame by frame."""

from speechmlx.engines.parts.mimi.codec import FRAME, RATE, Mimi
from speechmlx.engines.parts.mimi.names import own_weights
from speechmlx.engines.parts.mimi.quantizer import NO_CODE
from speechmlx.engines.parts.mimi.rows import StackedRows
from speechmlx.engines.parts.mimi.sizes import MimiSizes

__all__ = ["FRAME", "NO_CODE", "RATE", "Mimi", "MimiSizes", "StackedRows", "own_weights"]
