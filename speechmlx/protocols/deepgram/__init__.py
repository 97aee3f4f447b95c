"""Deepgram's API: live transcription on the WebSockets /v1/listen and, in turns (Flux), /v2/listen."""

from __future__ import annotations

from speechmlx.protocols.deepgram.routes import routes

__all__ = ["routes"]
