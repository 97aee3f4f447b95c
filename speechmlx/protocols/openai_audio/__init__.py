"""OpenAI's audio API over HTTP: transcriptions, translations, speech, voices and models."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.protocols.http.endpoint import Endpoint
from speechmlx.protocols.http.envelope import problem
from speechmlx.protocols.openai_audio.models import model, models, voices
from speechmlx.protocols.openai_audio.speech import speech
from speechmlx.protocols.openai_audio.transcriptions import transcriptions, translations


def routes(config: Config) -> list[BaseRoute]:
    """The routes, their bodies limited by `config`."""
    posts = (
        ("/v1/audio/transcriptions", transcriptions, config.max_audio_bytes),
        ("/v1/audio/translations", translations, config.max_audio_bytes),
        ("/v1/audio/speech", speech, config.max_audio_bytes),
    )
    gets = (("/v1/audio/voices", voices), ("/v1/models", models), ("/v1/models/{model:path}", model))
    return [
        *(Route(path, Endpoint(handler, problem, limit), methods=["POST"]) for path, handler, limit in posts),
        *(Route(path, Endpoint(handler, problem, config.max_text_bytes), methods=["GET"]) for path, handler in gets),
    ]
