"""The span of each request and socket. What works on it finds it as the active one."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx import tracing
from speechmlx.log import RequestRecord, current

STATUS = ("http.response.start", "websocket.http.response.start")


class TraceRequests:
    """Middleware: a span for each request and socket, in the trace that its header traceparent names.

    It stands behind RequestId, whose record gets the trace's id, and tells the route and what became of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = current()
        if scope["type"] == "lifespan" or record is None:
            await self._app(scope, receive, send)
            return
        method = scope.get("method", "WebSocket")
        attributes = {"http.request.method": scope.get("method", "GET"), "url.path": scope["path"]}
        attributes["client.address"] = (scope.get("client") or ("-",))[0]
        span = tracing.continued(method, Headers(scope=scope), attributes)
        record.trace_id = span.trace_id
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] in STATUS:
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        failed = True
        try:
            with span.active():
                await self._app(scope, receive, send_and_note)
            failed = status >= 500
        finally:
            span.name(f"{method} {record.route}" if record.route else method)
            span.set({"http.response.status_code": status or None})
            span.set(known(record))
            span.end(error=(record.error or str(status or "unanswered")) if failed else None)


def known(record: RequestRecord) -> tracing.Attributes:
    """What is known of a request, as attributes of its span."""
    return {
        "http.route": record.route,
        "speechmlx.request_id": record.id,
        "speechmlx.wire": record.wire,
        "speechmlx.key": record.key,
        "speechmlx.models": ",".join(record.models) or None,
        "speechmlx.audio_in_s": record.audio_in or None,
        "speechmlx.audio_out_s": record.audio_out or None,
        "speechmlx.first_audio_s": record.first_audio,
        "speechmlx.error": record.error,
    }
