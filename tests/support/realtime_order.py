"""The order of a realtime session's events, in OpenAI's two dialects."""

from __future__ import annotations

from typing import Any

import pytest
from support.realtime_client import Json, Talk

DIALECTS = pytest.mark.parametrize("dialect", ["ga", "beta"])
ANSWER = (
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
)
"""A spoken one, in GA's names."""


def hearing(dialect: str, **heard: Any) -> Json:
    """A session's fields for what it makes of the audio that comes in."""
    if dialect == "ga":
        return {"audio": {"input": heard}}
    return {f"input_audio_{name}" if name == "transcription" else name: value for name, value in heard.items()}


def voice(dialect: str, name: str) -> Json:
    return {"audio": {"output": {"voice": name}}} if dialect == "ga" else {"voice": name}


def named(dialect: str, *kinds: str) -> list[str]:
    """GA's kinds of events as the dialect has them."""
    if dialect == "ga":
        return list(kinds)
    kept = (kind for kind in kinds if kind != "conversation.item.done")
    renamed = (kind.replace("conversation.item.added", "conversation.item.created") for kind in kept)
    return [kind.replace("response.output_audio", "response.audio") for kind in renamed]


def folded(kinds: list[str]) -> list[str]:
    """Kinds with runs of deltas as one "delta"."""
    out: list[str] = []
    for kind in kinds:
        name = "delta" if kind.endswith(".delta") and kind.startswith("response.") else kind
        if name != "delta" or out[-1:] != ["delta"]:
            out.append(name)
    return out


def since(ws: Talk, kind: str) -> list[str]:
    """The kinds of events from the first of `kind` on, folded; transcription, which has its own time, left out."""
    return folded([one for one in ws.kinds[ws.kinds.index(kind) :] if "input_audio_transcription" not in one])


def assert_linked(ws: Talk) -> None:
    """Every item of the conversation is told to come after the one before it, whenever that is told."""
    (added,) = named(ws.dialect, "conversation.item.added")
    items = [event["item"]["id"] for event in ws.of(added)]
    before = dict(zip(items, [None, *items], strict=False))
    for kind in (added, "conversation.item.done", "input_audio_buffer.committed"):
        for event in ws.of(kind):
            item = event["item"]["id"] if "item" in event else event["item_id"]
            assert event["previous_item_id"] == before[item], event
