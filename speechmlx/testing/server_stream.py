"""A live stream over a server's wire: Deepgram's WS /v1/listen, whose results have words with times and speakers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from speechmlx.errors import BadRequest, EngineFailed, Unavailable
from speechmlx.library.sources import check_rate
from speechmlx.types import Hypothesis, Word

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
STAY = 3.0
"""Seconds between two messages that keep the socket open while no audio is fed."""
PATIENCE = 30.0
"""Seconds in which the server takes the connection."""


class ServerStream:
    """One socket. Feed mono PCM16 at `rate` Hz, and iterate for the words."""

    def __init__(
        self,
        url: str,
        key: str | None,
        rate: int,
        model: str | None,
        language: str | None,
        diarize: bool,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`context` checks the server's certificate; None: as any other. Raises BadRequest for what is no address."""
        self._address = address(url, check_rate(rate), model, language, diarize)
        self._headers = {} if key is None else {"Authorization": f"Token {key}"}
        self._secure: dict[str, Any] = {} if context is None else {"ssl": context}
        self._socket: ClientConnection | None = None
        self._staying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect. Raises Unavailable where no server takes it."""
        from websockets import InvalidHandshake
        from websockets.asyncio.client import connect

        try:
            self._socket = await connect(
                self._address,
                additional_headers=self._headers,
                proxy=None,
                open_timeout=PATIENCE,
                **self._secure,
            )
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise Unavailable(f"{self._address.partition('?')[0]} takes no connection: {error}") from error
        self._staying = asyncio.create_task(self._stay(self._socket))

    async def close(self) -> None:
        """Break it off."""
        if self._staying is not None:
            self._staying.cancel()
        if self._socket is not None:
            await self._socket.close()

    async def feed(self, pcm16: bytes) -> None:
        """The next audio. Raises Unavailable where the server has closed the socket."""
        await self._send(pcm16)

    async def finish(self) -> None:
        """No more audio comes: the iteration ends once all is recognised."""
        await self._send(json.dumps({"type": "CloseStream"}))

    async def words(self) -> AsyncIterator[Hypothesis]:
        """What is heard. Raises EngineFailed for an error that the server tells, Unavailable where it breaks off."""
        from websockets import ConnectionClosedError

        assert self._socket is not None
        try:
            async for message in self._socket:
                if (hypothesis := read(json.loads(message))) is not None:
                    yield hypothesis
        except ConnectionClosedError as error:
            raise Unavailable(f"the server closed the stream: {error}") from error

    async def _send(self, message: str | bytes) -> None:
        from websockets import ConnectionClosed

        assert self._socket is not None
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise Unavailable(f"the server closed the stream: {error}") from error

    async def _stay(self, socket: ClientConnection) -> None:
        with suppress(Unavailable):
            while True:
                await asyncio.sleep(STAY)
                await self._send(json.dumps({"type": "KeepAlive"}))


def address(url: str, rate: int, model: str | None, language: str | None, diarize: bool) -> str:
    """The address of the wire on a server. Raises BadRequest where `url` is none."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise BadRequest(f"{url!r:.200} is no address of a server; write it like http://127.0.0.1:8080")
    query = {
        "encoding": "linear16",
        "sample_rate": rate,
        "interim_results": "true",
        "punctuate": "true",
        "filler_words": "true",
        "language": language or "multi",
        "diarize": str(diarize).lower(),
        **({} if model is None else {"model": model}),
    }
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/v1/listen?{urlencode(query)}"


def read(message: dict[str, Any]) -> Hypothesis | None:
    """The words of a message; None where it has none to tell. Raises EngineFailed for an error."""
    if message.get("type") == "Error":
        raise EngineFailed(str(message.get("description")))
    if message.get("type") != "Results":
        return None
    words = tuple(_word(word) for word in message["channel"]["alternatives"][0]["words"])
    return Hypothesis(words, ()) if message["is_final"] else Hypothesis((), words)


def _word(word: dict[str, Any]) -> Word:
    speaker = word.get("speaker")
    text = word.get("punctuated_word") or word["word"]
    return Word(f" {text}", word["start"], word["end"], word["confidence"], None if speaker is None else str(speaker))
