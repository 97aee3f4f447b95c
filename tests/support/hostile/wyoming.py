"""Events of Home Assistant's protocol on TCP with damage to their lines, data and payloads."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from support.hostile.mutations import mutate, mutate_json
from support.hostile.target import PATIENCE, Target
from support.scripted_conversation import tone

FORMAT = {"rate": 16000, "width": 2, "channels": 1}
EVENTS: tuple[tuple[str, dict[str, Any], bytes], ...] = (
    ("describe", {}, b""),
    ("ping", {"text": "a"}, b""),
    ("transcribe", {"language": "en", "transcript_names": ["Ann"]}, b""),
    ("audio-start", FORMAT, b""),
    ("audio-chunk", FORMAT, tone(0.1, rate=16000)),
    ("audio-chunk", FORMAT, tone(0.1, rate=16000)),
    ("audio-stop", {}, b""),
    ("synthesize", {"text": "one two", "voice": {"name": "alloy"}}, b""),
    ("synthesize-start", {"voice": {"language": "en"}}, b""),
    ("synthesize-chunk", {"text": "one two. "}, b""),
    ("synthesize-stop", {}, b""),
    ("detect", {"names": ["a"]}, b""),
)


def event(kind: Any, data: Any, payload: bytes, draw: random.Random, damage: bool) -> bytes:
    """An event; with `damage` its data, lengths or bytes are wrong."""
    if damage and draw.random() < 0.5:
        data = mutate_json(data, draw)
    apart = json.dumps(data).encode() if draw.random() < 0.3 else b""
    header = {"type": kind, "version": "1.5.4", "payload_length": len(payload), "data_length": len(apart)}
    header |= {} if apart else {"data": data}
    if damage and draw.random() < 0.5:
        header = mutate_json(header, draw)
    whole = json.dumps(header).encode() + b"\n" + apart + payload
    return mutate(whole, draw) if damage and draw.random() < 0.3 else whole


async def attack(target: Target, draw: random.Random) -> str | None:
    """A connection with a few events; what is wrong with its end."""
    chosen = [draw.choice(EVENTS) for _ in range(draw.randint(1, 8))]
    data = b"".join(event(*one, draw, draw.random() < 0.4) for one in chosen)
    reader, writer = await asyncio.open_connection("127.0.0.1", target.wyoming)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(data)
            writer.write_eof()
            while await reader.read(65536):
                pass
    except TimeoutError:
        return f"not closed within {PATIENCE:g} s of the client's end: {data[:300]!r}"
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return None
