"""Who may do what: each route and socket of the app, looked at one by one."""

from __future__ import annotations

from starlette.routing import Mount, Route, WebSocketRoute

from speechmlx.app import create_app
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime

READ_ONLY = {
    "/": "open",
    "/docs": "open",
    "/health": "open",
    "/metrics": "metrics",
    "/openapi.json": "use",
    "/test_form.html": "open",
    "/v1/address": "use",
    "/v1/audio/models": "use",
    "/v1/audio/voice_consents": "manage",
    "/v1/audio/voice_consents/{consent}": "manage",
    "/v1/audio/voices": "use",
    "/v1/audio/voices/{voice}": "use",
    "/v1/cache/models": "use",
    "/v1/cluster/auth": "open",
    "/v1/jobs": "use",
    "/v1/jobs/{id}": "use",
    "/v1/jobs/{id}/result": "use",
    "/v1/model_registrations/{type}": "use",
    "/v1/model_registrations/{type}/{name:path}": "use",
    "/v1/models": "use",
    "/v1/models/instances": "use",
    "/v1/models/{model:path}": "use",
    "/v1/models/{uid:path}/progress": "use",
    "/web/page.css": "open",
}
"""GETs, each looked at: none starts a model, a download or a conversation, or changes anything. And the scope that a
key needs; "open" asks for no key."""
ACTS = {
    ("DELETE", "/v1/audio/voice_consents/{consent}"): "manage",
    ("DELETE", "/v1/audio/voices/{voice}"): "manage",
    ("DELETE", "/v1/jobs/{id}"): "use",
    ("DELETE", "/v1/model_registrations/{type}/{name:path}"): "manage",
    ("DELETE", "/v1/models/{uid:path}"): "manage",
    ("POST", "/asr"): "use",
    ("POST", "/detect-language"): "use",
    ("POST", "/enhance"): "use",
    ("POST", "/inference"): "use",
    ("POST", "/load"): "manage",
    ("POST", "/respond"): "use",
    ("POST", "/speak"): "use",
    ("POST", "/token"): "login",
    ("POST", "/transcribe"): "use",
    ("POST", "/transcribe/url"): "use",
    ("POST", "/v1/audio/speech"): "use",
    ("POST", "/v1/audio/speech/reading"): "use",
    ("POST", "/v1/audio/transcriptions"): "use",
    ("POST", "/v1/audio/translations"): "use",
    ("POST", "/v1/audio/voice_consents"): "manage",
    ("POST", "/v1/audio/voice_consents/{consent}"): "manage",
    ("POST", "/v1/audio/voices"): "manage",
    ("POST", "/v1/chat/completions"): "use",
    ("POST", "/v1/jobs/{id}/cancel"): "use",
    ("POST", "/v1/listen"): "use",
    ("POST", "/v1/model_registrations/{type}"): "manage",
    ("POST", "/v1/models"): "manage",
    ("POST", "/v1/models/{model:path}/pull"): "manage",
    ("POST", "/v1/models/{uid:path}/cancel"): "manage",
    ("POST", "/v1/realtime/calls"): "use",
    ("POST", "/v1/realtime/calls/{call_id}/{action}"): "use",
    ("POST", "/v1/realtime/client_secrets"): "use",
    ("POST", "/v1/realtime/sessions"): "use",
    ("POST", "/v1/realtime/transcription_sessions"): "use",
    ("POST", "/v1/speak"): "use",
    ("WS", "/"): "use",
    ("WS", "/asr"): "use",
    ("WS", "/v1/listen"): "use",
    ("WS", "/v1/realtime"): "use",
    ("WS", "/v1/speak"): "use",
    ("WS", "/v2/listen"): "use",
    ("WS", "/ws/transcribe"): "in messages",
}
"""What costs or changes something, by method and path: refused to foreign pages. And the scope that a key needs;
"login" and "in messages" take the key in the body and in the messages."""
POLICY = ACTS | {(method, path): scope for path, scope in READ_ONLY.items() for method in ("GET", "HEAD")}
POLICY.pop(("HEAD", "/web/page.css"))


def requests() -> list[tuple[str, str]]:
    """(method or "WS", path) of every route that the app has."""
    found = []
    for route in create_app(build_services(Config(), Runtime(Config(), CATALOG))).routes:
        if isinstance(route, Mount):
            found.append(("GET", "/web/page.css"))
        elif isinstance(route, WebSocketRoute):
            found.append(("WS", route.path))
        else:
            assert isinstance(route, Route)
            found += [(method, route.path) for method in sorted(route.methods or ())]
    return sorted(set(found))
