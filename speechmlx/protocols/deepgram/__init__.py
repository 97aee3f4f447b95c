"""Deepgram's API: live transcription at /v1/listen and, in turns (Flux), /v2/listen; recordings; and speech."""

from __future__ import annotations

from speechmlx.protocols.deepgram.routes import routes

__all__ = ["routes"]
