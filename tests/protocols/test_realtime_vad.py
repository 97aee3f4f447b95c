"""Which events come, and in which order, when turn detection finds speech, its end, or silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.realtime_client import talk
from support.realtime_order import ANSWER, DIALECTS, assert_linked, hearing, named, since, voice
from support.scripted_conversation import tone, words

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16
from speechmlx.conversation.input.endpointing import MAX_TURN

if TYPE_CHECKING:
    from protocols.conftest import Server


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
        assert "commit or clear" in (await ws.failure())["message"]
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
            *ANSWER[5:],
        )
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        item = done["response"]["output"][0]
        assert item["status"] == "incomplete"
        played = 300
        await ws.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=played)
        assert (await ws.until("conversation.item.truncated"))["audio_end_ms"] == played
        kept = await ws.kept(item)
        assert kept == "You said: tell"
        await ws.play(tone(0.7, 0))
        answered = await ws.until("response.done")
        assert answered["response"]["status"] == "completed"
        assert ws.kinds.count("response.created") == 2
        after = ws.events[ws.events.index(done) + 1 :]
        assert done["response"]["id"] not in {event.get("response_id") for event in after}
        assert ws.of("input_audio_buffer.committed")[0]["previous_item_id"] == item["id"]
        assert_linked(ws)


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
