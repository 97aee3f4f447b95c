"""speechmlx: a local speech server for Apple silicon, and its engines as a library: `from speechmlx import Speech`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechmlx.library import AsyncSpeech as AsyncSpeech
    from speechmlx.library import Speech as Speech

__version__ = "0.1.0"
__all__ = ["AsyncSpeech", "Speech", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the library when it is first used: the server and the commands start without it."""
    if name in ("AsyncSpeech", "Speech"):
        from speechmlx import library

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
