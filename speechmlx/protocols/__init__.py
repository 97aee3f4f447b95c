"""The server's protocols. Each is a module or a package, listed in PROTOCOLS.

http/ is not a protocol: it holds the code that the HTTP protocols share. ws.py transports protocols on WebSockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute

from speechmlx.protocols import (
    absent,
    asr_webservice,
    deepgram,
    hybrid,
    jobs,
    metrics,
    one_shot,
    openai_audio,
    openai_realtime,
    openapi,
    page,
    pull,
    soniqo,
    whisper_cpp,
    whisperlive,
    whisperlivekit,
    xinference,
)
from speechmlx.protocols.http.services import Services

Routes = Callable[[Services], Sequence[BaseRoute]]

PROTOCOLS: tuple[Routes, ...] = (
    hybrid.routes,  # before soniqo: takes forms on a shared path
    soniqo.routes,
    pull.routes,
    xinference.routes,  # before /v1/models/{model}, which matches names with slashes
    openai_audio.routes,
    openai_realtime.routes,
    deepgram.routes,
    whisperlivekit.routes,
    asr_webservice.routes,
    whisper_cpp.routes,
    whisperlive.routes,
    one_shot.routes,
    jobs.routes,
    absent.routes,
    metrics.routes,
    page.routes,
    openapi.routes,
)
