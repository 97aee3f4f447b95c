"""OpenAI's audio API over HTTP: transcriptions, translations, speech, voices and models."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.protocols.http.conditional_route import When, is_form
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint
from speechmlx.protocols.openai_audio.models import audio_models, model, models, voices
from speechmlx.protocols.openai_audio.speech import speech
from speechmlx.protocols.openai_audio.transcriptions import transcriptions, translations


def routes(config: Config) -> list[BaseRoute]:
    """The routes, their bodies limited by `config`."""
    hearing = (("/v1/audio/transcriptions", transcriptions), ("/v1/audio/translations", translations))
    reading = (
        ("/v1/audio/models", audio_models),
        ("/v1/audio/voices", voices),
        ("/v1/models", models),
        ("/v1/models/{model:path}", model),
    )
    audio, text = config.max_audio_bytes, config.max_text_bytes
    return [
        *(Route(path, Endpoint(answer, problem, audio), methods=["POST"]) for path, answer in hearing),
        When("/v1/audio/speech", Endpoint(speech, problem, audio), ["POST"], is_form, "multipart form"),
        Route("/v1/audio/speech", Endpoint(speech, problem, text), methods=["POST"]),
        *(Route(path, Endpoint(answer, problem, text), methods=["GET"]) for path, answer in reading),
    ]
