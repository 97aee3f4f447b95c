"""The protocols that the server speaks, one module or package each, listed in PROTOCOLS.

http/ is not a protocol: it holds what the protocols on HTTP share. ws.py carries protocols on WebSockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute

from speechmlx.protocols import (
    absent,
    asr_webservice,
    hybrid,
    metrics,
    openai_audio,
    openai_realtime,
    openapi,
    page,
    soniqo,
    whisper_cpp,
    xinference,
)
from speechmlx.protocols.http.services import Services

Routes = Callable[[Services], Sequence[BaseRoute]]

PROTOCOLS: tuple[Routes, ...] = (
    hybrid.routes,  # before soniqo: forms to a path they share
    soniqo.routes,
    xinference.routes,  # before /v1/models/{model}, whose names may hold slashes
    openai_audio.routes,
    openai_realtime.routes,
    asr_webservice.routes,
    whisper_cpp.routes,
    absent.routes,
    metrics.routes,
    page.routes,
    openapi.routes,
)
