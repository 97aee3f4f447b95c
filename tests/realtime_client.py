"""A bare client of /v1/realtime, which checks every event it gets against OpenAI's own types."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, get_args

import websockets
from pydantic import TypeAdapter

Json = dict[str, Any]
BETA_HEADER = {"OpenAI-Beta": "realtime=v1"}
BETA_MODEL = "gpt-4o-realtime-preview"
"""OpenAI's beta types close the session's models to such names: the one thing that is not checked."""


@cache
def adapters(dialect: str) -> dict[str, list[TypeAdapter[Any]]]:
    """The SDK's types by event type."""
    if dialect == "beta":
        from openai.types.beta.realtime import RealtimeServerEvent as Events
        from openai.types.beta.realtime import TranscriptionSession

        created = [TypeAdapter(TranscriptionSession)]
    else:
        from openai.types.realtime import RealtimeServerEvent as Events  # type: ignore[assignment]

        created = []
    union = next(member for member in get_args(Events) if get_args(member))
    found: dict[str, list[TypeAdapter[Any]]] = {"transcription_session.created": created}
    for member in get_args(union):
        for kind in get_args(member.model_fields["type"].annotation):
            found.setdefault(kind, []).append(TypeAdapter(member))
    return found


def check(event: Json, dialect: str) -> None:
    """Raises AssertionError when the SDK has no such event, or ValidationError when it has other fields."""
    kind = event["type"]
    known = adapters(dialect).get(kind)
    assert known, f"the {dialect} dialect has no event {kind}"
    if dialect == "beta" and "session" in event:
        event = {**event, "session": _with_openai_models(event["session"])}
    shown = event["session"] if kind == "transcription_session.created" else event
    known[0].validate_json(json.dumps(shown), strict=True)


def _with_openai_models(session: Json) -> Json:
    heard = session.get("input_audio_transcription")
    return {
        **session,
        **({"model": BETA_MODEL} if "model" in session else {}),
        "input_audio_transcription": {**heard, "model": "whisper-1"} if heard else heard,
    }


class Talk:
    """A connection: what was said to it in `events`, in order."""

    def __init__(self, socket: Any, dialect: str) -> None:
        self.socket = socket
        self.dialect = dialect
        self.events: list[Json] = []
        self.patience = 30.0
        """Seconds that an event may take to come."""

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str, role: str = "user") -> None:
        """Put a text into the conversation."""
        part = {"type": "input_text", "text": text}
        await self.send("conversation.item.create", item={"type": "message", "role": role, "content": [part]})

    async def play(self, pcm16: bytes, piece: int = 4800) -> None:
        """Append audio in pieces of 100 ms."""
        for start in range(0, len(pcm16), piece):
            audio = base64.b64encode(pcm16[start : start + piece]).decode()
            await self.send("input_audio_buffer.append", audio=audio)

    async def next(self) -> Json:
        async with asyncio.timeout(self.patience):
            event: Json = json.loads(await self.socket.recv())
        self.events.append(event)
        check(event, self.dialect)
        return event

    async def until(self, *kinds: str) -> Json:
        """Events up to the first of `kinds`, which is returned."""
        while (event := await self.next())["type"] not in kinds:
            pass
        return event

    async def quiet(self, seconds: float = 0.3) -> None:
        """Take what still comes."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.next()
        except TimeoutError:
            pass

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["type"] == kind]

    def audio(self) -> bytes:
        kind = "response.audio.delta" if self.dialect == "beta" else "response.output_audio.delta"
        return b"".join(base64.b64decode(event["delta"]) for event in self.of(kind))


@asynccontextmanager
async def talk(url: str, query: str = "", dialect: str = "ga", **session: Any) -> AsyncIterator[Talk]:
    """A connection with the session greeted and, where fields are given, updated."""
    address = url.replace("http", "ws") + f"/v1/realtime{query}"
    headers = BETA_HEADER if dialect == "beta" else {}
    async with websockets.connect(address, additional_headers=headers, max_size=None, proxy=None) as socket:
        talking = Talk(socket, dialect)
        created = await talking.next()
        if dialect == "beta" and created["type"] == "session.created":
            await talking.until("conversation.created")
        if session:
            transcribes = "intent=transcription" in query
            if dialect == "beta":
                kind, fields = "transcription_session" if transcribes else "session", session
            else:
                kind, fields = "session", {"type": "transcription" if transcribes else "realtime", **session}
            await talking.send(f"{kind}.update", session=fields)
            await talking.until(f"{kind}.updated")
        yield talking
