"""A harness for tests of live recognition: feed audio at a speed, wait for what is heard, look at any moment.

It listens with the engines of this machine, or over the wire of a server.
"""

from speechmlx.testing.harness import TestHarness
from speechmlx.testing.state import LiveState
from speechmlx.testing.word_errors import word_error_rate

__all__ = ["LiveState", "TestHarness", "word_error_rate"]
