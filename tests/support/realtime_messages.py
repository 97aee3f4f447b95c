"""Random messages of a client of /v1/realtime, in both forms of the API, whole and broken."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.realtime_client import Json
from support.scripted_conversation import tone

SPEECH, SILENCE = tone(0.3), tone(0.7, 0)
CALLS = "".join(f'|<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>' for name in ("f", "g"))
TEXTS = ("hello", f"say One moment. {CALLS}")
TOOLS = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]


@dataclass(frozen=True)
class Kind:
    """Of session, and how it is updated."""

    dialect: str
    transcribes: bool = False

    def __str__(self) -> str:
        return f"{self.dialect} transcription" if self.transcribes else self.dialect

    @property
    def query(self) -> str:
        return "?intent=transcription" if self.transcribes else ""

    @property
    def session(self) -> Json:
        """As it begins."""
        if self.transcribes:
            return {}
        if self.dialect == "beta":
            return {"instructions": "work=0.002", "voice": "work=0.004", "input_audio_transcription": {}}
        audio = {"input": {"transcription": {}}, "output": {"voice": "work=0.004"}}
        return {"instructions": "work=0.002", "audio": audio}

    @property
    def turns(self) -> list[Json | None]:
        """Turn detections; OpenAI's beta transcription knows no semantic ones."""
        semantic = [] if self == Kind("beta", transcribes=True) else [{"type": "semantic_vad"}]
        return [None, {"type": "server_vad", "silence_duration_ms": 200}, *semantic]

    def modalities(self, modality: str) -> Json:
        if self.dialect == "ga":
            return {"output_modalities": [modality]}
        return {"modalities": ["audio", "text"] if modality == "audio" else ["text"]}

    def update(self, vad: Any, modality: str | None = None) -> Json:
        """The message that sets turn detection and, given, the modality."""
        if self.dialect == "beta":
            kind, session = "transcription_session" if self.transcribes else "session", {"turn_detection": vad}
        else:
            kind, audio = "session", {"input": {"turn_detection": vad}}
            session = {"type": "transcription" if self.transcribes else "realtime", "audio": audio}
        answers = self.modalities(modality) if modality and not self.transcribes else {}
        return {"type": f"{kind}.update", "session": {**session, **answers}}


Make = Callable[[random.Random, list[str], Kind], Json | str | bytes]
"""What is sent next, given the items that are known."""
KINDS = [Kind(dialect, transcribes) for transcribes in (False, True) for dialect in ("ga", "beta")]


def message(choose: random.Random, known: list[str], kind: Kind) -> Json:
    """A message that a client could send, about an item that exists or not."""
    item = choose.choice([*known, "nobody"])
    said = choose.choice([id for id in known if id.startswith("item_")] or [item])
    sound = base64.b64encode(choose.choice([SPEECH, SILENCE, SPEECH[:777]])).decode()
    vad = choose.choice(kind.turns)
    modality = choose.choice(["audio", "text"])
    text = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": choose.choice(TEXTS)}]}
    mine = {"id": f"mine_{choose.randrange(10**12)}", **text}
    return choose.choice(
        [
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.append", "audio": sound},
            {"type": "input_audio_buffer.commit"},
            {"type": "input_audio_buffer.clear"},
            {"type": "conversation.item.create", "item": mine, "previous_item_id": choose.choice([None, item])},
            {"type": "conversation.item.retrieve", "item_id": item},
            {"type": "conversation.item.delete", "item_id": item},
            {"type": "conversation.item.truncate", "item_id": said, "content_index": 0, "audio_end_ms": 250},
            {"type": "response.create"},
            {"type": "response.create", "response": {"conversation": "none", **kind.modalities(modality)}},
            {"type": "response.create", "response": {"input": [text], "metadata": {"a": "b"}, "tools": TOOLS}},
            {"type": "response.cancel"},
            kind.update(vad),
            kind.update(vad, modality),
        ]
    )


def broken(choose: random.Random, known: list[str], kind: Kind) -> str | bytes:
    """A message with something wrong in it, mostly."""
    whole = message(choose, [*known, "root", ""], kind)
    how = choose.randrange(6)
    if how == 0:
        return json.dumps(whole)[: choose.randrange(40)]
    if how == 1:
        return bytes(choose.randrange(256) for _ in range(choose.randrange(40)))
    if how == 2:
        return json.dumps(choose.choice([None, [], 3, "x", {}, {"type": None}, {"type": 7}, {"type": "x" * 300}]))
    target = whole
    while True:
        key = choose.choice(list(target))
        if isinstance(target[key], dict) and target[key] and choose.random() < 0.7:
            target = target[key]
            continue
        values = [None, [], {}, "", "\ud800", -1, 1e308, 10**30, True, [whole.get("type")], {"type": "x"}]
        target[key] = choose.choice(values)
        return json.dumps(whole)


def whole_or_broken(choose: random.Random, known: list[str], kind: Kind) -> Json | str | bytes:
    return choose.choice([message, broken])(choose, known, kind)
