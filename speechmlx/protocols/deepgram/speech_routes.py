"""Routes of POST /v1/listen, POST /v1/speak and the WebSocket /v1/speak.

Their modules are imported at the first request, so that the server starts faster.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.http.deepgram_errors import problem
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services


def speech_routes(services: Services) -> list[BaseRoute]:
    """The routes of recordings and of speech that is made."""
    audio, text = services.config.max_audio_bytes, services.config.max_text_bytes
    handlers = SpeechRoutes(services)
    listen = Endpoint(services, services.jobs.deferrable(handlers.listen, problem), problem, audio, raw=True)
    speak = Endpoint(services, handlers.speak, problem, text, raw=True)
    return [
        Route("/v1/listen", listen, methods=["POST"]),
        Route("/v1/speak", speak, methods=["POST"]),
        WebSocketRoute("/v1/speak", handlers.speak_live),
    ]


class SpeechRoutes:
    """Handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @after_import("speechmlx.protocols.deepgram.prerecorded")
    async def listen(self, context: RequestContext) -> Response:
        """Transcribe a recording as Deepgram's API does (body: the recording, or JSON: url)"""
        from speechmlx.protocols.deepgram.prerecorded import prerecorded

        return await prerecorded(context, self.listen)

    @after_import("speechmlx.protocols.deepgram.speak")
    async def speak(self, context: RequestContext) -> Response:
        """Speak a text as Deepgram's API does (JSON: text; query: model, encoding, container, sample_rate, bit_rate)"""
        from speechmlx.protocols.deepgram.speak import speak

        return await speak(context)

    @after_import("speechmlx.protocols.deepgram.speak_live")
    async def speak_live(self, socket: WebSocket) -> None:
        """Speak a text that comes in pieces, as Deepgram's API does."""
        from speechmlx.protocols.deepgram.speak_live import speak_live

        await speak_live(socket, self._services)
