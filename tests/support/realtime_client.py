"""A client of /v1/realtime that checks every event against OpenAI's types: no field more, no field less."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, get_args

import numpy as np
import websockets
from pydantic import BaseModel, TypeAdapter

Json = dict[str, Any]
MANUAL: Json = {"audio": {"input": {"turn_detection": None}}}
"""A session whose client ends the turns."""
BETA_HEADER = {"OpenAI-Beta": "realtime=v1"}
BETA_MODEL = "gpt-4o-realtime-preview"
"""OpenAI's beta types allow only such model names in a session, so the model's name is not checked there."""
BEYOND: dict[str, set[str]] = {
    # The SDK types the session of a request, not of a reply.
    "ga": {"session.id", "session.object", "session.expires_at"},
    "beta": {
        "session.id",
        "session.object",
        "session.expires_at",
        # A transcription session shows the settings that it accepts.
        "session.input_audio_noise_reduction",
        "session.turn_detection.create_response",
        "session.turn_detection.interrupt_response",
        # It came after beta; the answer to an update tells all that the update may set.
        "session.turn_detection.idle_timeout_ms",
        # Usage has one shape.
        "response.usage.input_token_details.image_tokens",
        "response.usage.input_token_details.cached_tokens_details",
    },
}
"""Fields that the SDK's types lack, although OpenAI documents them or clients ignore them."""
EITHER = {
    "message": "id object type status role content",
    "function_call": "id object type status call_id name arguments",
    "function_call_output": "id object type status call_id output",
    "input_text": "type text",
    "input_audio": "type transcript",
    "input_image": "type image_url",
    "part text": "type text",
    "part audio": "type transcript",
    "server_vad": "type threshold prefix_padding_ms silence_duration_ms create_response interrupt_response "
    "idle_timeout_ms",
    "semantic_vad": "type eagerness create_response interrupt_response",
    "usage": "total_tokens input_tokens output_tokens input_token_details output_token_details",
    "input_token_details": "text_tokens audio_tokens image_tokens cached_tokens cached_tokens_details",
    "output_token_details": "text_tokens audio_tokens",
}
RESPONSE = "object id status status_details output conversation_id max_output_tokens metadata usage"
HEARD = "input_audio_format input_audio_transcription input_audio_noise_reduction turn_detection"
FIELDS: dict[str, dict[str, str]] = {
    "ga": {
        **EITHER,
        "realtime.session": "type object id model output_modalities instructions audio tools tool_choice "
        "max_output_tokens tracing truncation prompt include expires_at",
        "realtime.transcription_session": "type object id audio include expires_at",
        "input": "format transcription noise_reduction turn_detection",
        "output": "format voice speed",
        "realtime.response": f"{RESPONSE} output_modalities audio",
        "output_text": "type text",
        "output_audio": "type transcript",
    },
    "beta": {
        **EITHER,
        "realtime.session": f"id object model modalities instructions voice speed {HEARD} output_audio_format tools "
        "tool_choice temperature max_response_output_tokens tracing expires_at",
        "realtime.transcription_session": f"id object modalities {HEARD} expires_at client_secret",
        "realtime.response": f"{RESPONSE} modalities voice output_audio_format temperature",
        "text": "type text",
        "audio": "type transcript",
    },
}
"""The exact fields of each object."""
OPTIONAL = {"realtime.session": {"parallel_tool_calls", "reasoning"}, "input_image": {"detail"}}


@cache
def adapters(dialect: str) -> dict[str, TypeAdapter[Any]]:
    """The SDK's types by event type."""
    if dialect == "beta":
        from openai.types.beta.realtime import RealtimeServerEvent as Events
    else:
        from openai.types.realtime import RealtimeServerEvent as Events
    union = next(member for member in get_args(Events) if get_args(member))
    found: dict[str, TypeAdapter[Any]] = {}
    for member in get_args(union):
        for kind in get_args(member.model_fields["type"].annotation):
            found.setdefault(kind, TypeAdapter(member))
    return found


def check(event: Json, dialect: str) -> None:
    """Check the fields of `event` for `dialect` ("ga" or "beta"); AssertionError or ValidationError if one is wrong."""
    shown = event
    if dialect == "beta":
        if "session" in event:
            shown = {**event, "session": _with_openai_models(event["session"])}
        if event["type"] == "transcription_session.created":  # the SDK has no type for it: it is the update's
            shown = {**shown, "type": "transcription_session.updated"}
    known = adapters(dialect).get(shown["type"])
    assert known, f"the {dialect} dialect has no event {event['type']}"
    unknown = set(_unknown(known.validate_json(json.dumps(shown), strict=True))) - BEYOND[dialect]
    assert not unknown, f"{event['type']} has {unknown}"
    for name, told in _objects(event):
        wanted, optional = set(FIELDS[dialect][name].split()), OPTIONAL.get(name, set())
        if event["type"] == "conversation.item.retrieved" and "transcript" in wanted:
            optional = {"audio"}
        assert wanted <= told.keys() <= wanted | optional, f"{event['type']} has {name} of {sorted(told)}"


def _unknown(value: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields that the event's type does not know."""
    if isinstance(value, list):
        for one in value:
            yield from _unknown(one, path)
    elif isinstance(value, BaseModel):
        for name, inner in value:
            where = f"{path}.{name}" if path else name
            if name in (value.model_extra or {}):
                yield where
            yield from _unknown(inner, where)


def _objects(event: Json) -> Iterator[tuple[str, Json]]:
    """The objects in an event, each with its name in FIELDS."""
    if "session" in event:
        session = event["session"]
        yield session["object"], session
        sides = session.get("audio", {})
        yield from sides.items()
        turns = sides.get("input", session)["turn_detection"]
        if turns is not None:
            yield turns["type"], turns
    items = [event["item"]] if "item" in event else []
    if "response" in event:
        response = event["response"]
        yield response["object"], response
        items += response["output"]
        usage = response["usage"]
        if usage is not None:
            yield "usage", usage
            yield from ((name, usage[name]) for name in ("input_token_details", "output_token_details"))
    for item in items:
        yield item["type"], item
        yield from ((part["type"], part) for part in item.get("content", []))
    if "part" in event:
        yield f"part {event['part']['type']}", event["part"]


def _with_openai_models(session: Json) -> Json:
    heard = session.get("input_audio_transcription")
    return {
        **session,
        **({"model": BETA_MODEL} if "model" in session else {}),
        "input_audio_transcription": {**heard, "model": "whisper-1"} if heard else heard,
    }


class Talk:
    """A connection to /v1/realtime; `events` holds the events received, in order."""

    def __init__(self, socket: Any, dialect: str) -> None:
        self.socket = socket
        self.dialect = dialect
        self.events: list[Json] = []
        self.patience = 30.0
        """Seconds to wait for an event."""

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str, role: str = "user") -> None:
        """Add a text message to the conversation."""
        part = {"type": "input_text", "text": text}
        await self.send("conversation.item.create", item={"type": "message", "role": role, "content": [part]})

    async def play(self, pcm16: bytes, piece: int = 4800) -> None:
        """Append audio in pieces of `piece` bytes: 100 ms of PCM16 at 24 kHz by default."""
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
        """Receive events up to the first of `kinds` and return that one."""
        while (event := await self.next())["type"] not in kinds:
            pass
        return event

    async def answer(self, **response: Any) -> Json:
        """Ask for a response with these fields; returns it once it is done."""
        await self.send("response.create", response=response)
        done: Json = (await self.until("response.done"))["response"]
        return done

    async def failure(self) -> Json:
        """The next error."""
        error: Json = (await self.until("error"))["error"]
        return error

    async def kept(self, item: Json) -> str:
        """What the conversation holds of an item that was spoken."""
        await self.send("conversation.item.retrieve", item_id=item["id"])
        return str((await self.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"])

    async def quiet(self, seconds: float = 0.3) -> None:
        """Receive events for `seconds`."""
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


def text_of(response: Json) -> str:
    """What a response says or writes."""
    part = response["output"][0]["content"][0]
    return str(part.get("transcript") or part.get("text"))


def loudest(pcm16: bytes) -> int:
    """Peak level: 0 is silence, 32767 full scale."""
    return int(np.abs(np.frombuffer(pcm16, "<i2").astype(int)).max(initial=0))


@asynccontextmanager
async def talk(url: str, query: str = "", dialect: str = "ga", **session: Any) -> AsyncIterator[Talk]:
    """Connect, wait for the greeting, and update the session with the fields of `session` if there are any."""
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
