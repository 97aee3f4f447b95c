"""What Home Assistant's Wyoming integration does, in its order and with its client's classes: facts, not its code.

It asks for the info with a limit of a second, makes one connection for each request, ignores every event that it does
not wait for, and takes the end of a connection for a failure.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Iterable
from dataclasses import dataclass

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info, TtsVoice
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

INFO_LIMIT = 1.0
"""Seconds for the info."""
FORMAT = (16000, 2, 1)


@dataclass(frozen=True)
class HomeAssistant:
    """One configured service."""

    host: str
    port: int

    def _client(self) -> AsyncTcpClient:
        return AsyncTcpClient(self.host, self.port)

    async def info(self) -> Info:
        async with self._client() as client, asyncio.timeout(INFO_LIMIT):
            await client.write_event(Describe().event())
            while True:
                event = await client.read_event()
                assert event is not None, "connection closed unexpectedly"
                if Info.is_type(event.type):
                    return Info.from_event(event)

    async def languages_heard(self) -> set[str]:
        """Those of the installed models of the first program."""
        return {
            language for model in (await self.info()).asr[0].models if model.installed for language in model.languages
        }

    async def voices(self) -> dict[str, list[TtsVoice]]:
        """The installed voices of the first installed program, by language."""
        found: dict[str, list[TtsVoice]] = {}
        program = next(program for program in (await self.info()).tts if program.installed)
        for voice in program.voices:
            for language in voice.languages if voice.installed else ():
                found.setdefault(language, []).append(voice)
        return found

    async def hear(self, language: str, stream: Iterable[bytes]) -> str | None:
        """The text of 16-bit samples at 16 kHz; None where the connection ends first."""
        async with self._client() as client:
            await client.write_event(Transcribe(language=language).event())
            await client.write_event(AudioStart(*FORMAT).event())
            for audio in stream:
                await client.write_event(AudioChunk(*FORMAT, audio).event())
            await client.write_event(AudioStop().event())
            while (event := await client.read_event()) is not None:
                if Transcript.is_type(event.type):
                    return Transcript.from_event(event).text
        return None

    async def speak(self, message: str, voice: str | None = None) -> bytes | None:
        """A WAV file; None where the connection ends first."""
        async with self._client() as client:
            chosen = None if voice is None else SynthesizeVoice(name=voice)
            await client.write_event(Synthesize(text=message, voice=chosen).event())
            chunks: list[AudioChunk] = []
            while (event := await client.read_event()) is not None:
                if AudioStop.is_type(event.type):
                    return _wav(chunks)
                if AudioChunk.is_type(event.type):
                    chunks.append(AudioChunk.from_event(event))
        return None

    async def speak_stream(self, pieces: Iterable[str], voice: str | None = None) -> tuple[AudioStart, bytes] | None:
        """The format and the samples of a text that comes in pieces; None where the connection ends first."""
        chosen = None if voice is None else SynthesizeVoice(name=voice)
        client = self._client()
        await client.connect()

        async def write() -> None:
            await client.write_event(SynthesizeStart(voice=chosen).event())
            message = ""
            for piece in pieces:
                message += piece
                await client.write_event(SynthesizeChunk(text=piece).event())
            await client.write_event(Synthesize(text=message, voice=chosen).event())  # for servers without streams
            await client.write_event(SynthesizeStop().event())

        writing, format, audio = asyncio.create_task(write()), None, b""
        try:
            while event := await client.read_event():
                if format is not None and AudioChunk.is_type(event.type):
                    audio += AudioChunk.from_event(event).audio
                elif format is None and AudioStart.is_type(event.type):
                    format = AudioStart.from_event(event)
                elif SynthesizeStopped.is_type(event.type):
                    assert format is not None
                    return format, audio
        finally:
            await asyncio.gather(writing, return_exceptions=True)
            await client.disconnect()
        return None


def _wav(chunks: list[AudioChunk]) -> bytes:
    """A WAV file in the format of the first chunk; nothing without chunks."""
    with io.BytesIO() as file:
        if chunks:
            with wave.open(file, "wb") as writer:
                writer.setparams((chunks[0].channels, chunks[0].width, chunks[0].rate, 0, "NONE", "NONE"))
                writer.writeframes(b"".join(chunk.audio for chunk in chunks))
        return file.getvalue()
