"""Speech of a server with the times of its words, over POST /v1/audio/speech."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx

from speechmlx.cli.terminal.server_answers import check, error_text, server_errors
from speechmlx.errors import EngineFailed
from speechmlx.types import Chunk, WordTime, WordTimes

RATE = 24000
"""Hz of pcm."""
DATA = "data:"


async def spoken_words(
    client: httpx.AsyncClient, text: str, options: Mapping[str, Any]
) -> AsyncGenerator[Chunk | WordTimes, None]:
    """Speak a text: its sound while it is made, and the words that end in it. Raises SpeechErrors."""
    asked = {**options, "input": text, "response_format": "pcm", "stream_format": "sse", "timestamps": True}
    with server_errors():
        async with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
            if answer.is_error:
                await answer.aread()
                check(answer)
            async for line in answer.aiter_lines():
                if line.startswith(DATA):
                    for event in read_event(line.removeprefix(DATA)):
                        yield event


def read_event(data: str) -> list[Chunk | WordTimes]:
    """The words and the sound of one event. Raises EngineFailed for an error."""
    message = json.loads(data)
    if message["type"] == "error":
        raise EngineFailed(error_text(data))
    found: list[Chunk | WordTimes] = []
    if words := message.get("words"):
        found.append(WordTimes(tuple(WordTime(it["word"], it["start"], it["end"], *it["characters"]) for it in words)))
    if "audio" in message:
        found.append(Chunk(base64.b64decode(message["audio"]), RATE))
    return found
