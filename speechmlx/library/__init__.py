"""The engines from Python, without a server: `Speech`, and `AsyncSpeech` for programs that run an event loop.

`AsyncSpeech` calls the layers that the protocols call, and the models run in an engine process as they do for the
server. `Speech` is the same on an event loop of its own thread.
"""

from speechmlx.library.async_speech import AsyncSpeech
from speechmlx.library.speech import Speech

__all__ = ["AsyncSpeech", "Speech"]
