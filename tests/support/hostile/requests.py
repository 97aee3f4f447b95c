"""HTTP requests: JSON, forms, recordings, paths, queries and headers, each with damage; and a body that is whole."""

from __future__ import annotations

import base64
import json
import random
from typing import Any
from urllib.parse import quote, urlencode

from support.hostile.mutations import VALUES, mutate, mutate_json, written
from support.hostile.target import Target, answered, request
from support.hostile_forms import TYPES, WAV, fuzzed

SOUND = base64.b64encode(WAV[:8044]).decode()
SESSION = {"session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}}
JSON: dict[str, Any] = {
    "/speak": {"text": "one two", "voice": "alloy", "speed": 1.0, "format": "wav", "language": "en"},
    "/respond": {"audio": SOUND, "instructions": "be brief", "voice": "alloy", "history": [{"role": "user"}]},
    "/transcribe": {"audio": SOUND, "language": "en", "words": True},
    "/enhance": {"audio": SOUND},
    "/transcribe/url": {"url": "http://127.0.0.1:1/a.wav"},
    "/v1/audio/speech": {"model": "tts-1", "input": "one two", "voice": "alloy", "response_format": "mp3", "speed": 2},
    "/v1/audio/speech/reading": {"input": "1,000 $5.30 on 3/4/2020", "pronunciations": {"a": "b"}},
    "/v1/chat/completions": {"model": "x", "messages": [{"role": "user", "content": "hello"}]},
    "/v1/listen": {"url": "http://127.0.0.1:1/a.wav"},
    "/v1/speak": {"text": "one two"},
    "/v1/models": {"model_name": "scripted", "model_type": "audio", "model_uid": "mine", "model_format": "mlx"},
    "/v1/model_registrations/audio": {"model": json.dumps({"model_name": "mine"}), "persist": False},
    "/v1/realtime/client_secrets": {**SESSION, "expires_after": {"anchor": "created_at", "seconds": 60}},
    "/v1/realtime/sessions": {"model": "gpt-4o-realtime-preview", "voice": "alloy", "tools": []},
    "/v1/realtime/transcription_sessions": {"input_audio_format": "pcm16", "turn_detection": None},
    "/token": {"username": "a", "password": "b"},
}
FORMS = (
    "/v1/audio/transcriptions", "/v1/audio/translations", "/transcribe", "/asr", "/inference", "/detect-language",
    "/enhance", "/respond", "/v1/listen", "/v1/audio/voices", "/v1/audio/voice_consents",
)  # fmt: skip
OPTIONS = (
    "model", "language", "response_format", "timestamp_granularities[]", "temperature", "prompt", "task", "output",
    "encode", "word_timestamps", "diarize", "encoding", "sample_rate", "channels", "punctuate", "utterances",
    "keyterm", "replace", "callback", "stream", "format", "voice", "speed", "max_speakers", "container", "bit_rate",
    "name", "consent", "text",
)  # fmt: skip
NAMES = (
    "Authorization", "X-Api-Key", "Origin", "Cookie", "Accept", "Accept-Encoding", "Range", "Content-Encoding",
    "X-Request-Id", "X-Forwarded-For", "If-None-Match", "Prefer", "Content-Language", "Sec-WebSocket-Protocol",
    "Upgrade", "Access-Control-Request-Method", "Content-Disposition", "X-HTTP-Method-Override", "Date", "TE", "Via",
)  # fmt: skip
WORDS = (
    "", "null", "*", "Bearer ", "Token " + "x" * 500, "Basic Og==", "bytes=0-1,2-3,9999999999-", "gzip", "br;q=9",
    "http://evil.example", "http://localhost", "a=b; " * 50, "\udcff\udcfe", "\u00e9", "'\";--", "websocket",
    "realtime, openai-insecure-api-key.x", "1" * 400, "W/\"x\"", ",,,,", "\t", "h2c",
)  # fmt: skip
PATHS = (
    "/", "/health", "/metrics", "/docs", "/openapi.json", "/v1/models", "/v1/models/a%2fb", "/web/page.css",
    "/web/../serve.py", "/web/..%2f..%2fserve.py", "/web/%00", "//health", "/v1/address", "/v1//models",
    "/v1/audio/voices", "/v1/audio/voices/..%2f..%2fx", "/v1/audio/voices/%00", "/v1/audio/voice_consents/x",
    "/v1/models/" + "a" * 3000, "/v1/model_registrations/LLM/x", "/v1/cluster/auth", "/v1/models/x/progress",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X" * 50)


def _headers(draw: random.Random) -> list[str]:
    return [f"{draw.choice(NAMES)}: {draw.choice(WORDS)}" for _ in range(draw.choice((0, 0, 1, 3, 20)))]


def _query(draw: random.Random) -> str:
    pairs = [(draw.choice(OPTIONS), str(draw.choice(VALUES))[:600]) for _ in range(draw.choice((0, 1, 3, 12)))]
    text = urlencode(pairs, errors="replace")
    if draw.random() < 0.2:
        text = quote(mutate(text.encode(), draw), safe="&=%+;")
    return f"?{text}" if text else ""


def json_request(draw: random.Random) -> bytes:
    """A JSON body of some route with wrong parts."""
    path = draw.choice(list(JSON))
    body = written(mutate_json(JSON[path], draw), draw)
    kinds = ("application/json",) * 8 + ("application/json; charset=punycode", "text/plain", "application/cbor", "")
    return request("POST", path + _query(draw), body, f"Content-Type: {draw.choice(kinds)}", *_headers(draw))


def form_request(draw: random.Random) -> bytes:
    """A damaged multipart or urlencoded form."""
    path = draw.choice(FORMS) + _query(draw)
    if draw.random() < 0.7:
        kind, body = draw.choice(TYPES), fuzzed(draw)
    else:
        kind = "application/x-www-form-urlencoded" + draw.choice(("", "; charset=utf-16", "; charset=x"))
        pairs = [(draw.choice(OPTIONS), str(draw.choice(VALUES))) for _ in range(draw.choice((1, 5, 300)))]
        body = mutate(urlencode(pairs, errors="replace").encode(), draw)
    return request("POST", path, body, f"Content-Type: {kind}", *_headers(draw))


def odd_request(draw: random.Random) -> bytes:
    """A method, path, query and headers that do not go together."""
    path = draw.choice((*PATHS, *JSON, *FORMS))
    if draw.random() < 0.3:
        path = "/" + quote(mutate(path.encode(), draw)[:2000], safe="/%:@")
    body = draw.choice((b"", b"{}", b"\0" * 300))
    return request(draw.choice(METHODS), path + _query(draw), body, *_headers(draw))


async def attack(target: Target, draw: random.Random) -> str | None:
    """Send one request; what is wrong with the answer."""
    make = draw.choice((json_request, json_request, form_request, odd_request))
    return await answered(target, make(draw))
