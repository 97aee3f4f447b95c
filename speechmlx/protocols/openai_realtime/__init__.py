"""OpenAI's Realtime protocol, GA and beta: the WebSocket /v1/realtime and the HTTP endpoints that make sessions."""

from __future__ import annotations

from speechmlx.protocols.openai_realtime.routes import routes

__all__ = ["routes"]
