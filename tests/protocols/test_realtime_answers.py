"""What becomes of what the models hear and write: what is said and kept of it, limits, tools, usage, interruptions."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.realtime_client import MANUAL, talk, text_of
from support.scripted_conversation import MODELS, tone, words

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server, Start


async def test_a_recording_that_a_response_is_given_is_heard(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}}) as ws:
        sound = g711.encode(from_pcm16(tone(0.4, rate=8000)), "ulaw")
        part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        assert words(0.4) in text_of(await ws.answer(input=[item], conversation="none", output_modalities=["text"]))


@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_the_limit_of_tokens(conversing: Server, modality: str) -> None:
    async with talk(conversing.url, **MANUAL, output_modalities=[modality]) as ws:
        await ws.say("say One, |two, |three |four.")
        for limit, status in ((3, "incomplete"), (4, "completed")):
            response = await ws.answer(max_output_tokens=limit, conversation="none")
            (item,) = response["output"]
            assert (response["status"], item["status"]) == (status, status)
            assert ws.of("response.output_item.done")[-1]["item"]["status"] == status
            assert response["usage"]["output_token_details"]["text_tokens"] == limit
            details = {"type": "incomplete", "reason": "max_output_tokens"} if limit == 3 else None
            assert response["status_details"] == details


async def test_what_cannot_be_said_is_silence(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("say Sure, I can help! |\U0001f60a! |** |This is mute, all of it. |All is well.")
        response = await ws.answer()
        assert response["status"] == "completed"
        assert text_of(response) == "Sure, I can help! \U0001f60a! ** This is mute, all of it. All is well."
        assert len(ws.audio()) == 7 * 4800
        await ws.say("say \U0001f60a")
        assert (await ws.answer())["status"] == "completed"
        assert ws.audio()[7 * 4800 :] == bytes(9600)  # 0.2 s
        await ws.say("say This is mute.")
        assert "can be said" in (await ws.answer())["status_details"]["error"]["message"]


async def test_thoughts_are_neither_said_nor_kept(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("say <think>They said hello. |</thi|nk> |Hello to you.")
        response = await ws.answer()
        assert text_of(response) == "Hello to you."
        assert len(ws.audio()) == 3 * 4800
        assert await ws.kept(response["output"][0]) == "Hello to you."


async def test_the_first_clause_of_a_long_sentence_is_cut_between_words(conversing: Server) -> None:
    sentence = " |".join(f"word{number:02}" for number in range(30)) + "."
    async with talk(conversing.url, **MANUAL, instructions="work=0.04") as ws:
        await ws.say("load the models")
        await ws.answer()
        await ws.say(f"say {sentence}")
        start = len(ws.events)
        response = await ws.answer()
        assert text_of(response) == sentence.replace("|", "")
        kinds = ws.kinds[start:]
        last = len(kinds) - 1 - kinds[::-1].index("response.output_audio_transcript.delta")
        assert kinds.index("response.output_audio.delta") < last


async def test_a_call_cut_by_the_limit_is_not_said(conversing: Server) -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    async with talk(conversing.url, **MANUAL, tools=[tool]) as ws:
        await ws.say('say <tool_call>{"name": |"f", "arguments": |{"x": 1}}</tool_call>')
        response = await ws.answer(max_output_tokens=2)
        assert (response["status"], response["output"]) == ("incomplete", [])
        assert not ws.audio()
        (call,) = (await ws.answer())["output"]
        assert (call["name"], call["arguments"]) == ("f", '{"x": 1}')


async def test_the_tool_that_was_chosen(conversing: Server) -> None:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]
    async with talk(conversing.url, **MANUAL, tools=tools) as ws:
        await ws.say("hello")
        (call,) = (await ws.answer(tool_choice={"type": "function", "name": "g"}, conversation="none"))["output"]
        assert call["name"] == "g"  # the model calls the first that it is offered
        (said,) = (await ws.answer(tool_choice="none", conversation="none"))["output"]
        assert said["type"] == "message"
        failed = await ws.answer(tool_choice={"type": "function", "name": "h"})
        assert "'h'" in failed["status_details"]["error"]["message"]


async def test_a_cancelled_answer_is_counted(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL, output_modalities=["text"]) as ws:
        await ws.say("tell me something long")
        await ws.send("response.create", response={"instructions": "work=0.05"})
        for _ in range(3):
            await ws.until("response.output_text.delta")
        await ws.send("response.cancel")
        usage = (await ws.until("response.done"))["response"]["usage"]
        assert usage["input_tokens"] > 3
        assert usage["output_tokens"] == len(ws.of("response.output_text.delta"))


async def test_audio_is_counted(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.play(tone(0.5))
        await ws.send("input_audio_buffer.commit")
        await ws.say("say one two")
        usage = (await ws.answer())["usage"]
        heard, said = usage["input_token_details"], usage["output_token_details"]
        assert (heard["audio_tokens"], said["audio_tokens"]) == (5, 4)
        assert usage["input_tokens"] == heard["text_tokens"] + 5
        assert usage["output_tokens"] == said["text_tokens"] + 4


async def test_speed(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": None}, "output": {"speed": 0.5}}) as ws:
        await ws.say("say one two three")
        await ws.answer()
        assert len(ws.audio()) == 3 * 9600


async def test_the_model_of_the_session_writes(conversing: Server) -> None:
    async with talk(conversing.url, "?model=scripted-llm", output_modalities=["text"]) as ws:
        await ws.say("steps=2")
        assert text_of(await ws.answer()) == "1/1 2/1 "


async def test_every_call_is_made_in_its_place(conversing: Server) -> None:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]
    calls = [f'<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>' for name in ("f", "g")]
    async with talk(conversing.url, **MANUAL, tools=tools) as ws:
        await ws.say(f"say One moment. |{calls[0]}|{calls[1]}")
        said, *called = (await ws.answer())["output"]
        assert said["content"][0]["transcript"] == "One moment."
        assert [call["name"] for call in called] == ["f", "g"]
        for event in ws.events:
            if "output_index" in event:
                id = event["item"]["id"] if "item" in event else event["item_id"]
                assert event["output_index"] == [said["id"], *(call["id"] for call in called)].index(id)
        done = ws.of("response.function_call_arguments.done")
        assert [event["call_id"] for event in done] == [call["call_id"] for call in called]


async def test_two_at_once_keep_their_voices_apart(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("tell me something")
        levels = {"loud": 0.8, "soft": 0.2}
        for name, level in levels.items():
            audio = {"output": {"voice": f"work=0.02 level={level}"}}
            response = {
                "conversation": "auto" if name == "loud" else "none",
                "metadata": {"name": name},
                "audio": audio,
            }
            await ws.send("response.create", response=response)
        for _ in levels:
            await ws.until("response.done")
        for done in ws.of("response.done"):
            response = done["response"]
            of_it = [e for e in ws.of("response.output_audio.delta") if e["response_id"] == response["id"]]
            peaks = [np.abs(from_pcm16(base64.b64decode(event["delta"]))).max() for event in of_it]
            assert peaks == [pytest.approx(levels[response["metadata"]["name"]], abs=0.01)] * len(peaks) and peaks
        owners = [event["response_id"] for event in ws.of("response.output_audio.delta")]
        assert owners not in (sorted(owners), sorted(owners, reverse=True))  # they came at once


async def test_four_outside_the_conversation_at_once(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL, output_modalities=["text"], instructions="work=0.02") as ws:
        await ws.say("tell me something")
        for _ in range(5):
            await ws.send("response.create", response={"conversation": "none"})
        assert (await ws.failure())["code"] == "busy"
        created = [event["response"]["id"] for event in ws.of("response.created")]
        assert len(created) == 4
        await ws.send("response.cancel", response_id="nobody")
        assert (await ws.failure())["code"] == "response_cancel_not_active"
        await ws.send("response.cancel", response_id=created[2])
        for _ in created:
            await ws.until("response.done")
        statuses = {event["response"]["id"]: event["response"]["status"] for event in ws.of("response.done")}
        assert [statuses[id] for id in created] == ["completed", "completed", "cancelled", "completed"]


async def test_speech_cuts_an_answer_that_is_still_played(conversing: Server) -> None:
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("hello")
        response = await ws.answer()
        await ws.play(tone(0.5, 0) + tone(0.3))
        await ws.until("input_audio_buffer.speech_started")
        heard = await ws.kept(response["output"][0])
        assert text_of(response).startswith(heard) and 4 <= len(heard.split()) <= 8


async def test_speech_that_does_not_interrupt_is_answered_after(conversing: Server) -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    heard = {"turn_detection": detection}
    async with talk(conversing.url, audio={"input": heard, "output": {"voice": "work=0.05"}}) as ws:
        await ws.say("hello")
        await ws.send("response.create")
        await ws.until("response.output_audio.delta")
        await ws.play(tone(0.4) + tone(0.8, 0))
        first, second = [(await ws.until("response.done"))["response"] for _ in range(2)]
        assert first["status"] == second["status"] == "completed"
        assert ws.kinds.index("input_audio_buffer.committed") < ws.kinds.index("response.done")
        assert words(0.4) in text_of(second)


async def test_nobody_is_idle_while_an_answer_is_played(conversing: Server) -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 1000}
    async with talk(conversing.url, audio={"input": {"turn_detection": detection}}) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("hello")
        await ws.answer()
        played = len(ws.audio()) / 48000
        await ws.play(tone(played + 1.5, 0))
        idle = await ws.until("input_audio_buffer.timeout_triggered")
        assert abs(idle["audio_start_ms"] - 1000 * (0.1 + played)) < 50


async def test_a_turn_without_words_is_not_answered(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"transcription": {"prompt": "mute"}}}) as ws:
        await ws.play(tone(0.3) + tone(0.8, 0))
        response = (await ws.until("response.done"))["response"]
        assert ws.of("conversation.item.input_audio_transcription.completed")[0]["transcript"] == ""
        assert (response["status"], response["output"]) == ("completed", [])


async def test_what_was_cleared_is_no_turn(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"transcription": {}}}) as ws:
        await ws.play(tone(0.5))
        started = await ws.until("input_audio_buffer.speech_started")
        await ws.send("input_audio_buffer.clear")
        await ws.play(tone(0.2, 0))
        await ws.send("input_audio_buffer.commit")
        assert (await ws.until("input_audio_buffer.committed"))["item_id"] != started["item_id"]
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == ""
        assert len(ws.of("input_audio_buffer.speech_stopped")) == 1


async def test_live_words_are_told_once(conversing: Server) -> None:
    """Though those of an answered turn are found at its pause."""
    async with talk(conversing.url, audio={"input": {"transcription": {"model": "talking-live"}}}) as ws:
        await ws.play(tone(0.5))
        await ws.until("conversation.item.input_audio_transcription.delta")
        await ws.play(tone(1.0, 0))
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        told = "".join(event["delta"] for event in ws.of("conversation.item.input_audio_transcription.delta"))
        assert told == completed["transcript"] == words(0.5)


async def test_what_the_client_cut_while_it_was_said_stays_cut(conversing: Server) -> None:
    voice = {"output": {"voice": "work=0.03"}}
    async with talk(conversing.url, audio={**MANUAL["audio"], **voice}) as ws:
        await ws.say("one two three four five")
        await ws.send("response.create")
        for _ in range(4):
            item = (await ws.until("response.output_audio.delta"))["item_id"]
        await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
        assert (await ws.until("conversation.item.truncated"))["audio_end_ms"] == 300
        response = (await ws.until("response.done"))["response"]
        assert response["status"] == "completed"
        assert await ws.kept(response["output"][0]) == "You said: one"


async def test_a_cut_at_each_word_keeps_exactly_the_words_that_were_played(conversing: Server) -> None:
    async with talk(conversing.url, audio={**MANUAL["audio"]}) as ws:
        await ws.say("incomprehensibilities a (b) $5, x")
        response = await ws.answer()
        said = text_of(response).split()
        assert len(said) * 4800 == len(ws.audio())
        for count in range(len(said), 0, -1):
            cut = {"item_id": response["output"][0]["id"], "content_index": 0}
            await ws.send("conversation.item.truncate", **cut, audio_end_ms=100 * count)
            await ws.until("conversation.item.truncated")
            assert (await ws.kept(response["output"][0])).split() == said[:count]
            await ws.send("conversation.item.truncate", **cut, audio_end_ms=100 * count - 1)
            await ws.until("conversation.item.truncated")
            assert (await ws.kept(response["output"][0])).split() == said[: count - 1]


async def test_an_answer_deleted_while_it_is_said_cannot_be_cut(conversing: Server) -> None:
    async with talk(conversing.url, audio={**MANUAL["audio"], "output": {"voice": "work=0.03"}}) as ws:
        await ws.say("hello")
        await ws.send("response.create")
        item = (await ws.until("response.output_audio.delta"))["item_id"]
        await ws.send("conversation.item.delete", item_id=item)
        await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=100)
        assert (await ws.failure())["code"] == "item_truncate_invalid_item_id"


async def test_what_the_client_cut_stays_cut(conversing: Server) -> None:
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("one two three four five")
        response = await ws.answer()
        item = response["output"][0]["id"]
        await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
        await ws.play(tone(0.5, 0) + tone(0.3) + tone(1.0, 0))
        await ws.until("input_audio_buffer.speech_started")
        await ws.until("response.done")
        assert await ws.kept(response["output"][0]) == "You said: one"


@pytest.mark.parametrize("told", [False, True])
async def test_an_answer_played_while_the_microphone_was_muted_is_kept(conversing: Server, told: bool) -> None:
    """As clients without echo cancellation do; `told`: at once how much of it they will have heard."""
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("one two three four five")
        response = await ws.answer()
        item, seconds = response["output"][0]["id"], len(ws.audio()) / 2 / 24000
        if told:
            await ws.send(
                "conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=round(seconds * 1000)
            )
        else:
            await asyncio.sleep(seconds)
        await ws.play(tone(0.3) + tone(1.0, 0))
        await ws.until("input_audio_buffer.speech_started")
        await ws.until("response.done")
        assert await ws.kept(response["output"][0]) == text_of(response)


async def test_log_probabilities_of_what_was_said(start_server: Start) -> None:
    models = MODELS.replace("asr=talking-asr", "asr=scripted-asr")
    heard = {"turn_detection": None, "transcription": {"prompt": "steps=2", "language": "de"}}
    include = ["item.input_audio_transcription.logprobs"]
    with start_server(SPEECHMLX_MODELS=models) as server:
        async with talk(server.url, audio={"input": heard}, include=include) as ws:
            await ws.play(tone(0.5))
            await ws.send("input_audio_buffer.commit")
            completed = await ws.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "part 0. part 1."
            assert completed["languages"] == [{"code": "de"}]
            assert [one["token"] for one in completed["logprobs"]] == [" part 0.", " part 1."]


async def test_a_speech_to_speech_model_takes_the_pipelines_place(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=f"{MODELS},s2s=talking-s2s") as server:
        async with talk(server.url) as ws:
            await ws.play(tone(0.5) + tone(1.0, 0))
            response = (await ws.until("response.done"))["response"]
            assert response["status"] == "completed"
            assert text_of(response).startswith("You asked for 1.0 seconds.")
            assert len(ws.audio()) == 8 * 4800
            assert response["usage"]["output_token_details"]["text_tokens"] == 7
            item = response["output"][0]["id"]
            await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
            assert await ws.kept(response["output"][0]) == "You asked for"
            await ws.say("hello")  # what is written has the pipeline
            assert "You said: hello." in text_of(await ws.answer())
        for voice, status in (("nobody", "failed"), ("NATF2", "completed"), ("marin", "completed")):
            async with talk(server.url, audio={"output": {"voice": voice.lower()}}) as ws:
                await ws.play(tone(0.5) + tone(1.0, 0))
                response = (await ws.until("response.done"))["response"]
                assert response["status"] == status
                error = (response["status_details"] or {}).get("error") or {}
                assert error.get("message") == ("no voice 'nobody'" if status == "failed" else None)
