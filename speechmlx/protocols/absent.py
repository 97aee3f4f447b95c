"""Routes of OpenAI's API that clients request and this server does not support. Their errors name the alternative."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from speechmlx.protocols.http.openai_errors import INVALID, error_response, problem
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """The routes. They read the request bodies and discard them."""
    table = (
        ("/v1/realtime/calls", calls),
        ("/v1/realtime/calls/{call_id}/{action}", calls),
        ("/v1/chat/completions", chat),
    )
    limit = services.config.max_audio_bytes
    return [
        Route(path, Endpoint(services, handler, problem, limit, raw=True), methods=["POST"]) for path, handler in table
    ]


async def calls(context: RequestContext) -> Response:
    """Refused: there is no WebRTC and no telephone, conversations go over the WebSocket /v1/realtime"""
    return refusal(
        context, "this server takes no WebRTC or SIP calls; open a WebSocket to /v1/realtime, which has the same events"
    )


async def chat(context: RequestContext) -> Response:
    """Refused: there is no chat by text"""
    return refusal(
        context,
        "this server has no chat by text: its language model answers at the WebSocket /v1/realtime and at POST "
        "/respond, and may be another server's (--llm-url), which then is the one to ask",
    )


def refusal(context: RequestContext, message: str) -> Response:
    """Status 501 with OpenAI's error object. A header stops OpenAI's clients from retrying."""
    path = context.request.scope["path"]
    return error_response(path, 501, message, "not_supported", {"x-should-retry": "false"}, type=INVALID)
