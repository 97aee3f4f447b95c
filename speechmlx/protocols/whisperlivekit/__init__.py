"""WhisperLiveKit's protocol: live captions on the WebSocket /asr, complete or as differences."""

from speechmlx.protocols.whisperlivekit.routes import routes

__all__ = ["routes"]
