"""OpenAI's audio API over HTTP: transcriptions, translations, speech, voices and models."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from speechmlx.protocols.http.conditional_route import ConditionalRoute, is_form
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint, Handler
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.openai_audio.models import audio_models, model, models
from speechmlx.protocols.openai_audio.reading import reading
from speechmlx.protocols.openai_audio.speech import speech
from speechmlx.protocols.openai_audio.transcriptions import transcriptions, translations
from speechmlx.protocols.openai_audio.voice_consents import (
    consent,
    consents,
    create_consent,
    delete_consent,
    rename_consent,
)
from speechmlx.protocols.openai_audio.voices import MOST_BYTES, create_voice, delete_voice, stored_voice, voices


def routes(services: Services) -> list[BaseRoute]:
    """The routes. Their bodies are limited by the config."""
    recognition = (("/v1/audio/transcriptions", transcriptions), ("/v1/audio/translations", translations))
    short = (
        ("GET", "/v1/audio/models", audio_models),
        ("GET", "/v1/audio/voices", voices),
        ("GET", "/v1/audio/voices/{voice}", stored_voice),
        ("DELETE", "/v1/audio/voices/{voice}", delete_voice),
        ("GET", "/v1/audio/voice_consents", consents),
        ("GET", "/v1/audio/voice_consents/{consent}", consent),
        ("POST", "/v1/audio/voice_consents/{consent}", rename_consent),
        ("DELETE", "/v1/audio/voice_consents/{consent}", delete_consent),
        ("GET", "/v1/models", models),
        ("GET", "/v1/models/{model:path}", model),
    )
    uploads = (("/v1/audio/voices", create_voice), ("/v1/audio/voice_consents", create_consent))
    audio, text = services.config.max_audio_bytes, services.config.max_text_bytes

    def endpoint(handler: Handler, limit: int) -> Endpoint:
        return Endpoint(services, handler, problem, limit)

    return [
        *(
            Route(path, endpoint(services.jobs.deferrable(handler, problem), audio), methods=["POST"])
            for path, handler in recognition
        ),
        ConditionalRoute("/v1/audio/speech", endpoint(speech, audio), ["POST"], is_form, "multipart form"),
        Route("/v1/audio/speech", endpoint(speech, text), methods=["POST"]),
        Route("/v1/audio/speech/reading", endpoint(reading, text), methods=["POST"]),
        *(Route(path, endpoint(handler, min(audio, MOST_BYTES)), methods=["POST"]) for path, handler in uploads),
        *(Route(path, endpoint(handler, text), methods=[method]) for method, path, handler in short),
    ]
