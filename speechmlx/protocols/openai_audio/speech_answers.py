"""The bodies that speech is answered with: sound alone, events, or JSON with the words and their times."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from starlette.responses import Response

from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.protocols.http.request_body import read_blocks
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.protocols.http.streaming import StoredResponse, StreamedResponse, server_sent
from speechmlx.protocols.http.synthesis import SpeechNotes, encode_speech, start_speech, store_speech
from speechmlx.spoken_captions import CaptionFormat, spoken_captions
from speechmlx.types import Speak, Usage, WordTime

if TYPE_CHECKING:
    from speechmlx.audio.codecs import StreamEncoder

OUT_TOKENS = 20
"""Tokens that OpenAI counts for a second of audio."""


@dataclass(frozen=True)
class SpeechAnswer:
    """How speech is answered: the format of its sound, and what goes around it."""

    format: str
    body: Literal["audio", "sse", "json"]
    whole: bool
    """The sound alone is sent once it is complete."""
    words: bool
    """Events have the words with their times; JSON always has them."""
    captions: CaptionFormat | None
    blanks: int
    """Characters before the text that is spoken, in the text that was sent."""

    async def respond(self, context: RequestContext, request: Speak, rate: int) -> Response:
        """Speak; the answer. Raises the SpeechErrors that come before the first sound, for JSON all of them."""
        notes = SpeechNotes()
        first, job = await start_speech(context, request, rate, notes)
        build, kind = partial(_encoder, self.format), MEDIA_TYPES[self.format]
        if self.body == "json":
            file, size = await store_speech(context, first, job, build, notes)
            json_body = self._json(file, size, notes)
            return StreamedResponse(await context.stack.enter_async_context(aclosing(json_body)), "application/json")
        if self.body == "audio" and self.whole:
            return StoredResponse(*await store_speech(context, first, job, build), kind)
        pieces = await context.stack.enter_async_context(aclosing(encode_speech(first, job, build, notes)))
        if self.body == "audio":
            return StreamedResponse(pieces, kind)
        return server_sent(await context.stack.enter_async_context(aclosing(self._events(pieces, notes))))

    async def _events(self, pieces: AsyncIterator[bytes], notes: SpeechNotes) -> AsyncGenerator[dict[str, Any], None]:
        """A speech.audio.delta for each piece of encoded audio, then speech.audio.done."""
        said: list[WordTime] = []
        async for piece in pieces:
            if piece:
                words, notes.words = notes.words, []
                said += words if self.captions else ()
                yield {
                    "type": "speech.audio.delta",
                    "audio": base64.b64encode(piece).decode(),
                    **({"words": self._words(words)} if self.words else {}),
                }
        done = {"type": "speech.audio.done", "usage": as_tokens(notes.usage)}
        yield {**done, **({"captions": self._captions([*said, *notes.words])} if self.captions else {})}

    async def _json(self, file: BinaryIO, size: int, notes: SpeechNotes) -> AsyncGenerator[bytes, None]:
        """One JSON object, whose sound is read from a file."""
        about: dict[str, Any] = {"format": self.format, "duration": round(notes.usage.audio_out, 3)}
        about |= {"words": self._words(notes.words), "usage": as_tokens(notes.usage)}
        if self.captions:
            about["captions"] = self._captions(notes.words)
        yield json.dumps(about, ensure_ascii=False)[:-1].encode() + b', "audio": "'
        rest = b""
        async with aclosing(read_blocks(file, size)) as blocks:
            async for block in blocks:
                data = rest + block
                end = len(data) // 3 * 3
                rest = data[end:]
                yield base64.b64encode(data[:end])
        yield base64.b64encode(rest) + b'"}'

    def _words(self, words: Iterable[WordTime]) -> list[dict[str, Any]]:
        return [
            {
                "word": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "characters": [self.blanks + word.first, self.blanks + word.last],
            }
            for word in words
        ]

    def _captions(self, words: list[WordTime]) -> str:
        assert self.captions is not None
        return spoken_captions(words, self.captions)


def _encoder(format: str, rate: int) -> StreamEncoder:
    from speechmlx.audio.codecs import encoder  # here: the server starts without numpy

    return encoder(format, rate)


def as_tokens(usage: Usage) -> dict[str, int]:
    """Tokens of the text that the model read and of the audio that it made."""
    output = usage.tokens_out or round(usage.audio_out * OUT_TOKENS)
    return {"input_tokens": usage.tokens_in, "output_tokens": output, "total_tokens": usage.tokens_in + output}
