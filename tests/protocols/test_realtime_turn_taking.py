"""Turns as people take them: coughs, pauses that were none, answers that follow one another, silence, leaving."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.realtime_client import Talk, talk, text_of
from support.scripted_conversation import tone, words

if TYPE_CHECKING:
    from protocols.conftest import Server

MANUAL = {"turn_detection": None}
COUGH = tone(0.04)
"""Speech to the detector, without a word in it."""
COMPLETED = "conversation.item.input_audio_transcription.completed"


def vad(**fields: Any) -> dict[str, Any]:
    return {"transcription": {}, "turn_detection": {"type": "server_vad", **fields}}


async def speak(ws: Talk, pcm16: bytes) -> None:
    """At a microphone's pace."""
    began = time.monotonic()
    for number, start in enumerate(range(0, len(pcm16), 4800)):
        await asyncio.sleep(max(0.0, began + number * 0.1 - time.monotonic()))
        await ws.play(pcm16[start : start + 4800])


async def answered(ws: Talk, words: str) -> dict[str, Any]:
    await ws.say(words)
    await ws.send("response.create")
    found: dict[str, Any] = (await ws.until("response.done"))["response"]
    return found


async def idle(server: Server) -> None:
    async with asyncio.timeout(10):
        while server.health()["jobs"]:
            await asyncio.sleep(0.05)


# --- pauses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["talking-asr", "talking-live"])
async def test_what_is_said_after_a_pause_is_heard_where_the_client_ends_the_turn(
    conversing: Server, model: str
) -> None:
    """At once behind more audio, or after it took the turns into its own hands."""
    heard = vad(silence_duration_ms=2000)
    heard["transcription"] = {"model": model}
    for takes_over in (False, True):
        async with talk(conversing.url, audio={"input": heard}) as ws:
            await speak(ws, tone(0.5) + tone(0.5, 0))
            if takes_over:
                off = {"type": "realtime", "audio": {"input": MANUAL}}
                await ws.send("session.update", session=off)
                await ws.until("session.updated")
            await ws.play(tone(0.5) + tone(0.1, 0), 10**9)
            await ws.send("input_audio_buffer.commit")
            transcript = (await ws.until(COMPLETED))["transcript"]
            assert transcript == (words(1.5) if model == "talking-asr" else words(1.0))


@pytest.mark.parametrize("change", [{"output_modalities": ["text"]}, {"audio": {"output": {"speed": 0.5}}}])
async def test_an_answer_begun_in_a_pause_is_not_given_otherwise_than_wanted(
    conversing: Server, change: dict[str, Any]
) -> None:
    async with talk(conversing.url, audio={"input": vad(silence_duration_ms=1000)}) as ws:
        await speak(ws, tone(0.5) + tone(0.6, 0))
        await ws.send("session.update", session={"type": "realtime", **change})
        await ws.until("session.updated")
        await ws.play(tone(1.0, 0))
        response = (await ws.until("response.done"))["response"]
        seconds = len(ws.audio()) / 2 / 24000
        assert seconds == pytest.approx(0.2 * len(text_of(response).split()) if "audio" in change else 0.0)


async def test_a_draft_that_nobody_wants_does_not_outlive_its_turn(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": vad(silence_duration_ms=2000)}) as ws:
        await speak(ws, tone(2.0) + tone(0.5, 0))
        await ws.send("input_audio_buffer.commit")
        await ws.until(COMPLETED)
        await ws.play(tone(0.3) + tone(0.1, 0))
        await ws.until("input_audio_buffer.speech_started")
        await ws.send("input_audio_buffer.clear")
    await idle(conversing)


@pytest.mark.parametrize("query", ["", "?intent=transcription"])
async def test_a_commit_behind_that_of_the_server_is_nothing(conversing: Server, query: str) -> None:
    """Whose error would end the client; there and then, not where there never was a turn."""
    async with talk(conversing.url, query, audio={"input": vad(create_response=False)}) as ws:
        await ws.send("input_audio_buffer.commit")
        assert (await ws.failure())["code"] == "input_audio_buffer_commit_empty"
        await ws.play(tone(0.5) + tone(0.58, 0))
        await ws.until("input_audio_buffer.committed")
        await ws.send("input_audio_buffer.commit")
        await ws.play(tone(0.4) + tone(0.58, 0))
        await ws.until("input_audio_buffer.speech_started")
        await ws.until(COMPLETED)
        while len(ws.of(COMPLETED)) < 2:
            await ws.next()
        assert sorted(event["transcript"] for event in ws.of(COMPLETED)) == sorted([words(0.5), words(0.4)])
        assert len(ws.of("error")) == 1
        await ws.send("input_audio_buffer.clear")
        await ws.send("input_audio_buffer.commit")
        assert (await ws.failure())["code"] == "input_audio_buffer_commit_empty"


# --- coughs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interrupts", [True, False])
async def test_a_cough_costs_no_answer(conversing: Server, interrupts: bool) -> None:
    """Between a question and its answer; or, where speech does not interrupt, after a question within another's."""
    heard = vad(silence_duration_ms=300, interrupt_response=interrupts)
    async with talk(conversing.url, instructions="work=0.1", audio={"input": heard}) as ws:
        if not interrupts:
            await ws.say("say one|two|three|four|five|six|seven|eight|nine|ten.")
            await ws.send("response.create")
            await ws.until("response.created")
        await ws.play(tone(0.5) + tone(0.4, 0) + COUGH + tone(0.5, 0))
        said = ""
        while words(0.5) not in said:
            response = (await ws.until("response.done"))["response"]
            said += text_of(response) if response["status"] == "completed" and response["output"] else ""
        assert "(inaudible)" not in said


async def test_a_cough_after_an_answer_is_not_answered(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": vad(silence_duration_ms=300)}) as ws:
        await ws.play(tone(0.5) + tone(0.5, 0))
        response = (await ws.until("response.done"))["response"]
        await ws.play(tone(len(ws.audio()) / 2 / 24000 + 0.5, 0) + COUGH + tone(0.5, 0))
        assert (await ws.until("response.done"))["response"]["output"] == []
        assert await ws.kept(response["output"][0]) == text_of(response)


# --- turns and answers beside each other ---------------------------------------------------------------------------


async def test_a_turn_that_ends_while_an_answer_waits_for_its_words_is_not_part_of_it(conversing: Server) -> None:
    heard = {"transcription": {"prompt": "work=0.5"}, **MANUAL}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        for seconds in (0.5, 0.9):
            await ws.play(tone(seconds))
            await ws.send("input_audio_buffer.commit")
            if seconds == 0.5:
                await ws.send("response.create")
        response = (await ws.until("response.done"))["response"]
        assert text_of(response).startswith(f"You said: {words(0.5)}.")
        first, second = (event["item_id"] for event in ws.of("input_audio_buffer.committed"))
        answer = response["output"][0]["id"]
        added = {event["item"]["id"]: event["previous_item_id"] for event in ws.of("conversation.item.added")}
        assert (added[second], added[answer]) == (first, first)
        await ws.send("response.create")
        response = (await ws.until("response.done"))["response"]
        assert text_of(response).startswith(f"You said: {words(0.9)}.")


async def test_answers_that_follow_one_another_are_heard_one_after_the_other(conversing: Server) -> None:
    """Somebody speaks within the first: of the second nothing was heard."""
    async with talk(conversing.url, audio={"input": vad()}) as ws:
        await ws.play(tone(0.1, 0))
        first = await answered(ws, "say " + "one two three four five six seven eight nine ten. " * 3)
        second = await answered(ws, "say alpha beta gamma delta.")
        await ws.play(tone(1.0, 0) + tone(0.3))
        await ws.until("input_audio_buffer.speech_started")
        heard = await ws.kept(first["output"][0])
        assert text_of(first).startswith(heard) and 8 <= len(heard.split()) <= 15
        assert await ws.kept(second["output"][0]) == ""


async def test_beta_commits_only_what_somebody_says(conversing: Server) -> None:
    """A greeting asked for while the microphone is open finds silence in the buffer."""
    async with talk(conversing.url, dialect="beta") as ws:
        await ws.play(tone(1.0, 0))
        await ws.send("response.create")
        await ws.until("response.done")
        assert not ws.of("input_audio_buffer.committed")
        await ws.play(tone(0.6))
        await ws.send("response.create")
        response = (await ws.until("response.done"))["response"]
        assert words(0.6) in text_of(response)


# --- silence -----------------------------------------------------------------------------------------------------


async def test_no_silence_is_idle_while_an_answer_is_under_way(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": vad(idle_timeout_ms=500)}) as ws:
        await answered(ws, "say hi.")
        await ws.say("and another")
        await ws.send("response.create", response={"instructions": "work=0.05"})
        await ws.until("response.created")
        await ws.play(tone(3.0, 0))
        await ws.until("response.done")
        assert not ws.of("input_audio_buffer.timeout_triggered")


@pytest.mark.parametrize("between", ["click", "clear"])
async def test_silence_is_idle_in_spite_of(conversing: Server, between: str) -> None:
    async with talk(conversing.url, audio={"input": vad(idle_timeout_ms=500)}) as ws:
        await ws.play(tone(0.1, 0))
        await answered(ws, "say hi.")
        if between == "clear":
            await ws.send("input_audio_buffer.clear")
        await ws.play(tone(0.3, 0) + tone(0.01) + tone(2.0, 0))
        await ws.until("input_audio_buffer.timeout_triggered")
        assert not ws.of("input_audio_buffer.speech_started")


async def test_nothing_is_found_where_turns_are_no_longer_looked_for(conversing: Server) -> None:
    """While the noise reduction still gives out audio of before."""
    heard = {"noise_reduction": {"type": "near_field"}, **vad()}
    for _ in range(8):
        async with talk(conversing.url, audio={"input": heard}) as ws:
            await ws.play(tone(0.5, 0), 960)
            await ws.send("session.update", session={"type": "realtime", "audio": {"input": MANUAL}})
            await ws.play(tone(0.5, 0), 960)
            await ws.until("session.updated")
            await ws.play(tone(0.5) + tone(0.5, 0))
            await ws.send("input_audio_buffer.commit")
            await ws.until(COMPLETED)
            assert not ws.of("input_audio_buffer.speech_started")


# --- leaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["work=0.5", "fail=0"])
async def test_no_job_is_left_behind_by_a_turn(conversing: Server, prompt: str) -> None:
    """Whose client leaves before its words are known, or whose words never are."""
    heard = vad(silence_duration_ms=20)
    heard["transcription"] = {"model": "talking-live", "prompt": prompt}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        await speak(ws, tone(0.5) + tone(0.3, 0))
        await ws.until("input_audio_buffer.committed")
        if prompt == "fail=0":
            await ws.until("conversation.item.input_audio_transcription.failed")
            await ws.send("session.update", session={"type": "realtime", "audio": {"input": MANUAL}})
            await idle(conversing)
    await idle(conversing)
