"""OpenAI's Realtime protocol, in both its dialects: /v1/realtime and the HTTP endpoints beside it."""

from __future__ import annotations

from speechmlx.protocols.openai_realtime.routes import routes

__all__ = ["routes"]
