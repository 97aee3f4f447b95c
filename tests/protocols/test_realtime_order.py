"""Which events come, in which order, in each dialect: text turns, manual turns, found turns, interruptions, tools."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conversing import tone, words
from realtime_client import talk

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation.turns import MAX_TURN

if TYPE_CHECKING:
    from conftest import Server

MANUAL = {"audio": {"input": {"turn_detection": None}}}
HEARD = {"audio": {"input": {"turn_detection": None, "transcription": {"model": "gpt-4o-mini-transcribe"}}}}
VAD = {"audio": {"input": {"transcription": {}}}}


def folded(kinds: list[str]) -> list[str]:
    """Kinds with runs of deltas as one "delta"."""
    out: list[str] = []
    for kind in kinds:
        name = "delta" if kind.endswith(".delta") and kind.startswith("response.") else kind
        if name != "delta" or out[-1:] != ["delta"]:
            out.append(name)
    return out


async def test_text_to_audio(conversing: Server) -> None:
    async with talk(conversing.url) as ws:
        await ws.say("load the models")
        await ws.send("response.create")
        await ws.until("response.done")
    async with talk(conversing.url) as ws:
        await ws.say("hello there")
        await ws.send("response.create", response={"instructions": "work=0.03"})
        done = await ws.until("response.done")
        assert folded(ws.kinds) == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
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
        ]
        response = done["response"]
        text = "".join(event["delta"] for event in ws.of("response.output_audio_transcript.delta"))
        assert text == response["output"][0]["content"][0]["transcript"]
        assert text.startswith("You said: hello there.")
        assert len(ws.audio()) == len(text.split()) * 4800
        usage = response["usage"]
        assert usage["output_token_details"]["text_tokens"] == len(text.split())
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        items = {event["item_id"] for event in ws.events if event["type"].startswith("response.output_a")}
        assert items == {response["output"][0]["id"]}
        first_audio = ws.kinds.index("response.output_audio.delta")
        last_word = len(ws.kinds) - 1 - ws.kinds[::-1].index("response.output_audio_transcript.delta")
        assert first_audio < last_word  # the first clause is spoken while the second is written


async def test_text_to_audio_beta(conversing: Server) -> None:
    async with talk(conversing.url, dialect="beta") as ws:
        await ws.say("hello there")
        await ws.send("response.create")
        await ws.until("response.done")
        assert folded(ws.kinds) == [
            "session.created",
            "conversation.created",
            "conversation.item.created",
            "response.created",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "delta",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]


@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_text_to_text(conversing: Server, dialect: str) -> None:
    fields = {"output_modalities": ["text"]} if dialect == "ga" else {"modalities": ["text"]}
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


async def test_manual_commit(conversing: Server) -> None:
    async with talk(conversing.url, **HEARD) as ws:
        await ws.play(tone(0.5))
        await ws.send("input_audio_buffer.commit")
        await ws.until("conversation.item.input_audio_transcription.completed")
        assert ws.kinds[2:5] == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]
        completed = ws.events[-1]
        assert completed["transcript"] == words(0.5)
        assert completed["usage"] == {"type": "duration", "seconds": 0.5}
        assert ws.events[3]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
        await ws.send("response.create")
        done = await ws.until("response.done")
        assert words(0.5) in done["response"]["output"][0]["content"][0]["transcript"]


async def test_a_turn_found_in_the_audio(conversing: Server) -> None:
    async with talk(conversing.url, **VAD) as ws:
        await ws.play(tone(1.0, 0) + tone(0.8) + tone(1.0, 0))
        await ws.until("response.done")
        started = ws.of("input_audio_buffer.speech_started")[0]
        stopped = ws.of("input_audio_buffer.speech_stopped")[0]
        assert abs(started["audio_start_ms"] - 700) < 70
        assert abs(stopped["audio_end_ms"] - 2300) < 70
        kinds = [kind for kind in folded(ws.kinds) if "transcription" not in kind]
        assert kinds[2:8] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        item = ws.of("input_audio_buffer.committed")[0]["item_id"]
        assert started["item_id"] == stopped["item_id"] == item
        completed = ws.of("conversation.item.input_audio_transcription.completed")[0]
        assert (completed["item_id"], completed["transcript"]) == (item, words(0.8))


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


async def test_speech_interrupts(conversing: Server) -> None:
    voice = {"output": {"voice": "work=0.05"}}
    async with talk(conversing.url, audio={**VAD["audio"], **voice}) as ws:
        await ws.say("tell me something long")
        await ws.send("response.create")
        for _ in range(4):
            await ws.until("response.output_audio.delta")
        await ws.play(tone(0.3, 0) + tone(0.6))
        done = await ws.until("response.done")
        kinds = folded(ws.kinds)
        assert kinds[kinds.index("input_audio_buffer.speech_started") :] == [
            "input_audio_buffer.speech_started",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
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


async def test_client_cancels(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("tell me something long")
        await ws.send("response.create", response={"audio": {"output": {"voice": "work=0.05"}}})
        await ws.until("response.output_audio.delta")
        await ws.send("response.cancel")
        done = await ws.until("response.done")
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


@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_tools(conversing: Server, dialect: str) -> None:
    async with talk(conversing.url, dialect=dialect, tools=[TOOL]) as ws:
        await ws.say("What is the weather in Paris?")
        await ws.send("response.create")
        done = await ws.until("response.done")
        added = "conversation.item.added" if dialect == "ga" else "conversation.item.created"
        order = [kind for kind in ws.kinds[ws.kinds.index("response.created") :] if kind != "conversation.item.done"]
        assert order == [
            "response.created",
            "response.output_item.added",
            added,
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.done",
        ]
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
