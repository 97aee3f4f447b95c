"""Which events come, in which order, in each dialect: text turns, manual turns, found turns, interruptions, tools."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.realtime_client import Json, Talk, talk
from support.scripted_conversation import tone, words

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation.input.endpointing import MAX_TURN

if TYPE_CHECKING:
    from protocols.conftest import Server

MANUAL: Json = {"audio": {"input": {"turn_detection": None}}}
TRANSCRIPTION = {"model": "gpt-4o-mini-transcribe"}
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


@DIALECTS
async def test_text_to_audio(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect) as ws:
        await ws.say("load the models")
        await ws.send("response.create")
        await ws.until("response.done")
    async with talk(conversing.url, dialect=dialect) as ws:
        await ws.say("hello there")
        await ws.send("response.create", response={"instructions": "work=0.03"})
        done = await ws.until("response.done")
        assert folded(ws.kinds) == [
            "session.created",
            *(["conversation.created"] if dialect == "beta" else []),
            *named(
                dialect,
                "conversation.item.added",
                "conversation.item.done",
                *ANSWER,
            ),
        ]
        assert_linked(ws)
        response = done["response"]
        spoken, written = named(dialect, "response.output_audio.delta", "response.output_audio_transcript.delta")
        text = "".join(event["delta"] for event in ws.of(written))
        assert text == response["output"][0]["content"][0]["transcript"]
        assert text.startswith("You said: hello there.")
        assert len(ws.audio()) == len(text.split()) * 4800
        usage = response["usage"]
        assert usage["output_token_details"]["text_tokens"] == len(text.split())
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        items = {event["item_id"] for event in ws.events if "item_id" in event}
        assert items == {response["output"][0]["id"]}
        first_audio = ws.kinds.index(spoken)
        last_word = len(ws.kinds) - 1 - ws.kinds[::-1].index(written)
        assert first_audio < last_word  # the first clause is spoken while the second is written


@DIALECTS
async def test_text_to_text(conversing: Server, dialect: str) -> None:
    fields: Json = {"output_modalities": ["text"]} if dialect == "ga" else {"modalities": ["text"]}
    async with talk(conversing.url, dialect=dialect, **fields) as ws:
        await ws.say("hello")
        await ws.send("response.create")
        done = await ws.until("response.done")
        prefix = "response.output_text" if dialect == "ga" else "response.text"
        assert not ws.audio()
        text = "".join(event["delta"] for event in ws.of(f"{prefix}.delta"))
        assert ws.of(f"{prefix}.done")[0]["text"] == text
        kind = "output_text" if dialect == "ga" else "text"
        assert done["response"]["output"][0]["content"] == [{"type": kind, "text": text}]


@DIALECTS
async def test_manual_commit(conversing: Server, dialect: str) -> None:
    heard = hearing(dialect, turn_detection=None, transcription=TRANSCRIPTION)
    async with talk(conversing.url, dialect=dialect, **heard) as ws:
        await ws.play(tone(0.5))
        await ws.send("input_audio_buffer.commit")
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        order = named(dialect, "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done")
        assert since(ws, "session.updated") == ["session.updated", *order]
        assert completed["transcript"] == words(0.5)
        assert completed["usage"] == {"type": "duration", "seconds": 0.5}
        item = ws.of(order[1])[0]["item"]
        assert item["content"] == [{"type": "input_audio", "transcript": None}]
        assert {event["item_id"] for event in ws.events if "item_id" in event} == {item["id"]}
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert words(0.5) in done["response"]["output"][0]["content"][0]["transcript"]
        await ws.play(tone(0.3))
        await ws.send("input_audio_buffer.commit")
        await ws.until("conversation.item.input_audio_transcription.completed")
        assert [event["previous_item_id"] for event in ws.of("input_audio_buffer.committed")] == [
            None,
            done["response"]["output"][0]["id"],
        ]
        assert_linked(ws)


@DIALECTS
async def test_a_turn_found_in_the_audio(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, **hearing(dialect, transcription={})) as ws:
        await ws.play(tone(1.0, 0) + tone(0.8) + tone(1.0, 0))
        await ws.until("response.done")
        started = ws.of("input_audio_buffer.speech_started")[0]
        stopped = ws.of("input_audio_buffer.speech_stopped")[0]
        assert abs(started["audio_start_ms"] - 700) < 70
        assert abs(stopped["audio_end_ms"] - 2300) < 70
        assert since(ws, "session.updated") == [
            "session.updated",
            *named(
                dialect,
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                *ANSWER,
            ),
        ]
        item = ws.of("input_audio_buffer.committed")[0]["item_id"]
        assert started["item_id"] == stopped["item_id"] == item
        completed = ws.of("conversation.item.input_audio_transcription.completed")[0]
        assert (completed["item_id"], completed["transcript"]) == (item, words(0.8))
        assert_linked(ws)


async def test_a_recording_sent_faster_than_it_is_heard(conversing: Server) -> None:
    detection = {"type": "server_vad", "create_response": False}
    heard = {"transcription": {"model": "talking-live"}, "turn_detection": detection}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        await ws.play(tone(1.0, 0) + tone(0.8) + tone(80.0, 0) + tone(0.5) + tone(40.0, 0), piece=480_000)
        said = [await ws.until("conversation.item.input_audio_transcription.completed") for _ in range(2)]
        turns = {event["item_id"]: event["transcript"] for event in said}
        committed = [event["item_id"] for event in ws.of("input_audio_buffer.committed")]
        assert [turns[item] for item in committed] == [words(0.8), words(0.5)]


async def test_somebody_who_never_stops_is_heard_all_the_same(conversing: Server) -> None:
    detection = {"type": "server_vad", "create_response": False}
    async with talk(conversing.url, audio={"input": {"turn_detection": detection}}) as ws:
        await ws.play(tone(MAX_TURN + 10.0) + tone(1.0, 0), piece=960_000)
        stopped = [(await ws.until("input_audio_buffer.speech_stopped"))["audio_end_ms"] for _ in range(2)]
        assert abs(stopped[0] - MAX_TURN * 1000) < 70
        assert abs(stopped[1] - MAX_TURN * 1000 - 10_500) < 100


async def test_turns_are_found_after_more_audio_than_may_wait(conversing: Server) -> None:
    heard = {"turn_detection": None, "format": {"type": "audio/pcmu"}}
    silence, speech = b"\xff" * 8000, g711.encode(from_pcm16(tone(0.5, rate=8000)), "ulaw")
    async with talk(conversing.url, audio={"input": heard}) as ws:
        await ws.play(silence * 960, piece=30 * len(silence))
        assert "commit or clear" in (await ws.until("error"))["error"]["message"]
        detection = {"turn_detection": {"type": "server_vad", "create_response": False}}
        await ws.send("session.update", session={"type": "realtime", "audio": {"input": detection}})
        await ws.play(silence + speech + silence)
        await ws.until("input_audio_buffer.committed")  # what was left
        assert "input_audio_buffer.speech_started" not in ws.kinds
        await ws.until("input_audio_buffer.speech_started")
        await ws.until("input_audio_buffer.committed")


@pytest.mark.parametrize(("level", "stops"), [(0.8, True), (0.2, False)])
async def test_semantic_turns_wait_for_the_end_of_a_thought(conversing: Server, level: float, stops: bool) -> None:
    detection = {"type": "semantic_vad", "eagerness": "high", "create_response": False}
    async with talk(conversing.url, audio={"input": {"turn_detection": detection}}) as ws:
        await ws.play(tone(0.5, level) + tone(1.5, 0))
        if not stops:
            await ws.quiet(0.5)
            assert not ws.of("input_audio_buffer.speech_stopped")
            await ws.play(tone(1.0, 0))
        stopped = (await ws.until("input_audio_buffer.speech_stopped"))["audio_end_ms"]
        assert stopped <= 2100 if stops else abs(stopped - 2500) < 70  # `high` waits two seconds


@DIALECTS
async def test_speech_interrupts(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, **voice(dialect, "work=0.05")) as ws:
        (spoken,) = named(dialect, "response.output_audio.delta")
        await ws.say("tell me something long")
        await ws.send("response.create")
        for _ in range(4):
            await ws.until(spoken)
        await ws.play(tone(0.3, 0) + tone(0.6))
        done = await ws.until("response.done")
        assert since(ws, "input_audio_buffer.speech_started") == named(
            dialect,
            "input_audio_buffer.speech_started",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        )
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        item = done["response"]["output"][0]
        assert item["status"] == "incomplete"
        played = 300
        await ws.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=played)
        assert (await ws.until("conversation.item.truncated"))["audio_end_ms"] == played
        await ws.send("conversation.item.retrieve", item_id=item["id"])
        kept = (await ws.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert kept == "You"
        await ws.play(tone(0.7, 0))
        answered = await ws.until("response.done")
        assert answered["response"]["status"] == "completed"
        assert ws.kinds.count("response.created") == 2
        after = ws.events[ws.events.index(done) + 1 :]
        assert done["response"]["id"] not in {event.get("response_id") for event in after}
        assert ws.of("input_audio_buffer.committed")[0]["previous_item_id"] == item["id"]
        assert_linked(ws)


@pytest.mark.parametrize("ends", ["commit", "clear"])
async def test_half_a_sample_does_not_shift_the_next_recording(conversing: Server, ends: str) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.play(tone(0.5, 0) + b"x")
        await ws.send(f"input_audio_buffer.{ends}")
        await ws.play(tone(0.5))
        await ws.send("input_audio_buffer.commit")
        await ws.until("input_audio_buffer.cleared" if ends == "clear" else "input_audio_buffer.committed")
        item = (await ws.until("conversation.item.done"))["item"]
        if ends == "commit":
            item = (await ws.until("conversation.item.done"))["item"]
        await ws.send("conversation.item.retrieve", item_id=item["id"])
        retrieved = (await ws.until("conversation.item.retrieved"))["item"]
        heard, sent = from_pcm16(base64.b64decode(retrieved["content"][0]["audio"])), from_pcm16(tone(0.5))
        assert len(heard) == len(sent) and np.corrcoef(heard, sent)[0, 1] > 0.95


@pytest.mark.parametrize(("ends", "ended"), [("commit", "committed"), ("clear", "cleared")])
async def test_speech_that_is_ended_by_hand_has_stopped(conversing: Server, ends: str, ended: str) -> None:
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.5))
        await ws.until("input_audio_buffer.speech_started")
        await ws.send(f"input_audio_buffer.{ends}")
        await ws.until(f"input_audio_buffer.{ended}")
        started, stopped, *_ = (event for event in ws.events if event["type"].startswith("input_audio_buffer."))
        assert ws.kinds[-2:] == ["input_audio_buffer.speech_stopped", f"input_audio_buffer.{ended}"]
        assert (stopped["item_id"], stopped["audio_end_ms"]) == (started["item_id"], 500)


@DIALECTS
async def test_client_cancels(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, **hearing(dialect, turn_detection=None)) as ws:
        await ws.say("tell me something long")
        await ws.send("response.create", response=voice(dialect, "work=0.05"))
        await ws.until(*named(dialect, "response.output_audio.delta"))
        await ws.send("response.cancel")
        done = await ws.until("response.done")
        assert since(ws, "response.content_part.added") == named(
            dialect,
            "response.content_part.added",
            "delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        )
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await ws.quiet()
        assert ws.kinds[-1] == "response.done"
        await ws.send("response.cancel", event_id="mine")
        error = (await ws.until("error"))["error"]
        assert error["code"] == "response_cancel_not_active"
        assert error["message"].startswith("Cancellation failed")
        assert error["event_id"] == "mine"


async def test_cancel_before_the_first_word(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.send("response.create", response={"instructions": "work=0.2"})
        await ws.send("response.cancel")
        done = await ws.until("response.done")
        assert done["response"]["output"] == []
        assert ws.kinds[-2:] == ["response.created", "response.done"]


TOOL: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALLED = (
    "response.output_item.added",
    "conversation.item.added",
    "delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
)


@DIALECTS
async def test_tools(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, tools=[TOOL]) as ws:
        await ws.say("What is the weather in Paris?")
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert since(ws, "response.created") == named(dialect, "response.created", *CALLED, "response.done")
        opened = ws.of("response.output_item.added")[0]["item"]
        assert (opened["status"], opened["arguments"]) == ("in_progress", "")
        (call,) = done["response"]["output"]
        assert (call["type"], call["status"], call["name"]) == ("function_call", "completed", "get_weather")
        assert call["arguments"] == '{"city": "Paris"}'
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        await ws.send("conversation.item.create", item=output)
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"].startswith("The tool said: sunny.")
        assert_linked(ws)


@DIALECTS
async def test_an_answer_that_speaks_and_calls_twice(conversing: Server, dialect: str) -> None:
    cities = [json.dumps({"city": city}) for city in ("Paris", "Rome")]
    calls = [f'<tool_call>\n{{"name": "get_weather", "arguments": {city}}}\n</tool_call>' for city in cities]
    async with talk(conversing.url, dialect=dialect, tools=[TOOL]) as ws:
        await ws.say("|".join(["say Let me see. ", *calls]))
        await ws.send("response.create")
        output = (await ws.until("response.done"))["response"]["output"]
        assert since(ws, "response.created") == named(
            dialect,
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
            *CALLED,
            *CALLED,
            "response.done",
        )
        assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
        assert [item["arguments"] for item in output[1:]] == cities
        assert len({item["call_id"] for item in output[1:]}) == 2
        placed = [
            (event["output_index"], event["item_id"] if "item_id" in event else event["item"]["id"])
            for event in ws.events
            if "output_index" in event
        ]
        assert placed == sorted(placed, key=lambda place: place[0])
        assert set(placed) == set(enumerate(item["id"] for item in output))
        assert_linked(ws)


@pytest.mark.parametrize("before", [0.1, 0.0], ids=["listening", "before any audio"])
async def test_nobody_speaks(conversing: Server, before: float) -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 1000}
    async with talk(conversing.url, audio={"input": {"turn_detection": detection}}) as ws:
        await ws.play(tone(before, 0))
        await ws.say("hello")
        await ws.send("response.create")
        await ws.until("response.done")
        length = len(ws.audio()) / 48000
        await ws.play(tone(length + 1.5, 0))
        await ws.until("response.done")
        triggered = ws.of("input_audio_buffer.timeout_triggered")[0]
        assert abs(triggered["audio_end_ms"] - triggered["audio_start_ms"] - 1000) < 70
        kinds = ws.kinds[ws.kinds.index("input_audio_buffer.timeout_triggered") :]
        assert kinds[:5] == [
            "input_audio_buffer.timeout_triggered",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
