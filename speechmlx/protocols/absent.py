"""Routes of OpenAI's API that its clients try and that are not here: each says so, and names what is."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Call, Endpoint


def routes(config: Config) -> list[BaseRoute]:
    """The routes; what a client sends to them is read and dropped."""
    table = (
        ("/v1/realtime/calls", calls),
        ("/v1/realtime/calls/{call_id}/{action}", calls),
        ("/v1/chat/completions", chat),
    )
    limit = config.max_audio_bytes
    return [Route(path, Endpoint(answer, problem, limit, raw=True), methods=["POST"]) for path, answer in table]


async def calls(call: Call) -> Response:
    """Refused: there is no WebRTC and no telephone, conversations go over the WebSocket /v1/realtime"""
    return refusal(
        "this server takes no WebRTC or SIP calls; open a WebSocket to /v1/realtime, which has the same events"
    )


async def chat(call: Call) -> Response:
    """Refused: there is no chat by text"""
    return refusal(
        "this server has no chat by text: its language model answers at the WebSocket /v1/realtime and at POST "
        "/respond, and may be another server's (--llm-url), which then is the one to ask"
    )


def refusal(message: str) -> Response:
    """501 in OpenAI's envelope; its clients are told not to try again."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "not_supported"}
    return JSONResponse({"error": error, "detail": message}, 501, {"x-should-retry": "false"})
