"""A Backend of a server, over its HTTP routes; what is live goes over its WebSockets."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from speechmlx.audio.pcm import from_pcm16
from speechmlx.cli.terminal.backend import (
    HearingOptions,
    LiveSpeech,
    LiveTalk,
    OnProgress,
    SpeakingOptions,
    TalkingOptions,
)
from speechmlx.cli.terminal.server_answers import check, server_errors
from speechmlx.cli.terminal.server_live import listen_on, talk_on
from speechmlx.cli.terminal.server_transcript import read_transcript, read_turns
from speechmlx.cli.terminal.server_words import spoken_words
from speechmlx.cli.terminal.servers import ServerAddress
from speechmlx.errors import BadRequest
from speechmlx.library.results import Sound, SpokenAnswer
from speechmlx.recognition import RecognitionResult
from speechmlx.types import Chunk, WordTimes

CONNECT_SECONDS = 10.0
WAV_HEADER = 44
"""Bytes of the header that our server writes."""
READ = 1 << 16
BINARY = {"Content-Type": "application/octet-stream"}
Fields = dict[str, str | list[str]]


@asynccontextmanager
async def connected(server: ServerAddress) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server. Answers may take any time: recordings are hours long."""
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    verify = server.context or True
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, timeout=timeout, verify=verify, trust_env=False
    ) as client:
        yield client


class OnServer:
    """The engines of a server."""

    def __init__(self, client: httpx.AsyncClient, server: ServerAddress) -> None:
        self._client = client
        self._server = server

    async def transcribe(
        self, recording: Path, options: HearingOptions, turns: bool, on_progress: OnProgress
    ) -> RecognitionResult:
        path = f"/v1/audio/{'translations' if options.translate else 'transcriptions'}"
        fields = transcription_fields(options)
        result = read_transcript(await self._answer(path, recording, fields, json.loads))
        if options.diarize and turns:
            fields["response_format"] = "rttm"
            result.turns = read_turns(await self._answer(path, recording, fields, str))
        return result

    async def speak(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk, None]:
        asked = {"text": text, **given(options)}
        async for chunk in self._sound("/speak", {"stream": "true"}, json=asked):
            yield chunk

    def speak_timed(self, text: str, options: SpeakingOptions) -> AsyncGenerator[Chunk | WordTimes, None]:
        return spoken_words(self._client, text, given(options))

    async def enhance(self, recording: Path, model: str | None) -> AsyncGenerator[Chunk, None]:
        query = {"stream": "true", **({} if model is None else {"model": model})}
        with opened(recording) as file:
            async for chunk in self._sound("/enhance", query, content=_read(file), headers=BINARY):
                yield chunk

    async def respond(self, recording: Path, options: SpeakingOptions) -> SpokenAnswer:
        query = {"format": "json", **given(options)}
        del query["speed"]
        with opened(recording) as file, server_errors():
            answer = await self._client.post("/respond", params=query, content=_read(file), headers=BINARY)
        check(answer)
        found = answer.json()
        wav = base64.b64decode(found["audio_base64"])
        sound = Sound(from_pcm16(wav[WAV_HEADER:]), wav_rate(wav))
        return SpokenAnswer(found["heard"].strip(), found["text"].strip(), sound)

    def listen(self, options: HearingOptions) -> AbstractAsyncContextManager[LiveSpeech]:
        return listen_on(self._server, options)

    def talk(self, options: TalkingOptions) -> AbstractAsyncContextManager[LiveTalk]:
        return talk_on(self._server, options)

    async def _answer(self, path: str, recording: Path, fields: Fields, read: Any) -> Any:
        with opened(recording) as file, server_errors():
            answer = await self._client.post(path, data=fields, files={"file": (recording.name, file)})
        check(answer)
        return read(answer.text)

    async def _sound(self, path: str, query: dict[str, str], **asked: Any) -> AsyncGenerator[Chunk, None]:
        """A WAV stream as chunks."""
        with server_errors():
            async with self._client.stream("POST", path, params=query, **asked) as answer:
                if answer.is_error:
                    await answer.aread()
                    check(answer)
                data = b""
                rate = 0
                async for block in answer.aiter_bytes():
                    data += block
                    if not rate and len(data) >= WAV_HEADER:
                        rate, data = wav_rate(data), data[WAV_HEADER:]
                    if rate and (whole := len(data) // 2 * 2):
                        yield Chunk(data[:whole], rate)
                        data = data[whole:]


def transcription_fields(options: HearingOptions) -> Fields:
    """The form of a recognition."""
    fields: Fields = {"response_format": "verbose_json", "timestamp_granularities[]": ["segment"]}
    if options.words:
        fields["timestamp_granularities[]"] = ["segment", "word"]
    if options.hotwords:
        fields["keywords[]"] = list(options.hotwords)
    if options.diarize:
        fields["diarize"] = "true"
    texts = {"model": options.model, "language": options.language, "prompt": options.prompt}
    return {**fields, **{name: text for name, text in texts.items() if text is not None}}


def given(options: SpeakingOptions) -> dict[str, Any]:
    """The options that are set, as fields of our routes."""
    return {name: value for name, value in asdict(options).items() if value is not None}


def wav_rate(header: bytes) -> int:
    """The rate in Hz that a WAV header of our server tells."""
    return int.from_bytes(header[24:28], "little")


@contextmanager
def opened(recording: Path) -> Iterator[BinaryIO]:
    """The file. Raises BadRequest where it cannot be read."""
    try:
        file = recording.open("rb")
    except OSError as error:
        raise BadRequest(f"{recording} cannot be read: {error.strerror or error}") from error
    with file:
        yield file


async def _read(file: BinaryIO) -> AsyncGenerator[bytes, None]:
    while block := file.read(READ):
        yield block
