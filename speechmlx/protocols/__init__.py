"""Wires, a file each, and PROTOCOLS, what the server speaks; http/ is no wire but what the wires on HTTP share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.routing import BaseRoute

from speechmlx.config import Config
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

Routes = Callable[[Config], Sequence[BaseRoute]]

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
