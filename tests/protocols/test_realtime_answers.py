"""What becomes of what the models write: what is said and kept of it, limits, tools, usage, speech to speech."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from conversing import MODELS, tone, words
from realtime_client import Talk, talk

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from conftest import Server, Start

MANUAL = {"audio": {"input": {"turn_detection": None}}}


async def answer(ws: Talk, **response: Any) -> dict[str, Any]:
    await ws.send("response.create", response=response)
    found: dict[str, Any] = (await ws.until("response.done"))["response"]
    return found


def text(response: dict[str, Any]) -> str:
    part = response["output"][0]["content"][0]
    return str(part.get("transcript") or part.get("text"))


async def kept(ws: Talk, response: dict[str, Any]) -> str:
    """What the conversation holds of an answer."""
    await ws.send("conversation.item.retrieve", item_id=response["output"][0]["id"])
    return str((await ws.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"])


async def test_a_recording_that_a_response_is_given_is_heard(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}}) as ws:
        sound = g711.encode(from_pcm16(tone(0.4, rate=8000)), "ulaw")
        part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        assert words(0.4) in text(await answer(ws, input=[item], conversation="none", output_modalities=["text"]))


@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_the_limit_of_tokens(conversing: Server, modality: str) -> None:
    async with talk(conversing.url, **MANUAL, output_modalities=[modality]) as ws:
        await ws.say("say One, |two, |three |four.")
        for limit, status in ((3, "incomplete"), (4, "completed")):
            response = await answer(ws, max_output_tokens=limit, conversation="none")
            (item,) = response["output"]
            assert (response["status"], item["status"]) == (status, status)
            assert ws.of("response.output_item.done")[-1]["item"]["status"] == status
            assert response["usage"]["output_token_details"]["text_tokens"] == limit
            details = {"type": "incomplete", "reason": "max_output_tokens"} if limit == 3 else None
            assert response["status_details"] == details


async def test_what_cannot_be_said_is_silence(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("say Sure, I can help! |\U0001f60a! |** |This is mute, all of it. |All is well.")
        response = await answer(ws)
        assert response["status"] == "completed"
        assert text(response) == "Sure, I can help! \U0001f60a! ** This is mute, all of it. All is well."
        assert len(ws.audio()) == 7 * 4800
        await ws.say("say \U0001f60a")
        assert (await answer(ws))["status"] == "completed"
        await ws.say("say This is mute.")
        assert "can be said" in (await answer(ws))["status_details"]["error"]["message"]


async def test_thoughts_are_neither_said_nor_kept(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("say <think>They said hello. |</thi|nk> |Hello to you.")
        response = await answer(ws)
        assert text(response) == "Hello to you."
        assert len(ws.audio()) == 3 * 4800
        assert await kept(ws, response) == "Hello to you."


async def test_the_first_clause_of_a_long_sentence_is_cut_between_words(conversing: Server) -> None:
    sentence = " |".join(f"word{number:02}" for number in range(30)) + "."
    async with talk(conversing.url, **MANUAL, instructions="work=0.04") as ws:
        await ws.say("load the models")
        await answer(ws)
        await ws.say(f"say {sentence}")
        start = len(ws.events)
        response = await answer(ws)
        assert text(response) == sentence.replace("|", "")
        kinds = ws.kinds[start:]
        last = len(kinds) - 1 - kinds[::-1].index("response.output_audio_transcript.delta")
        assert kinds.index("response.output_audio.delta") < last


async def test_a_call_cut_by_the_limit_is_not_said(conversing: Server) -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    async with talk(conversing.url, **MANUAL, tools=[tool]) as ws:
        await ws.say('say <tool_call>{"name": |"f", "arguments": |{"x": 1}}</tool_call>')
        response = await answer(ws, max_output_tokens=2)
        assert (response["status"], response["output"]) == ("incomplete", [])
        assert not ws.audio()
        (call,) = (await answer(ws))["output"]
        assert (call["name"], call["arguments"]) == ("f", '{"x": 1}')


async def test_the_tool_that_was_chosen(conversing: Server) -> None:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]
    async with talk(conversing.url, **MANUAL, tools=tools) as ws:
        await ws.say("hello")
        (call,) = (await answer(ws, tool_choice={"type": "function", "name": "g"}, conversation="none"))["output"]
        assert call["name"] == "g"  # the model calls the first that it is offered
        (said,) = (await answer(ws, tool_choice="none", conversation="none"))["output"]
        assert said["type"] == "message"
        failed = await answer(ws, tool_choice={"type": "function", "name": "h"})
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


async def test_what_the_client_cut_stays_cut(conversing: Server) -> None:
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("one two three four five")
        response = await answer(ws)
        item = response["output"][0]["id"]
        await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
        await ws.play(tone(0.5, 0) + tone(0.3) + tone(1.0, 0))
        await ws.until("input_audio_buffer.speech_started")
        await ws.until("response.done")
        assert await kept(ws, response) == "You said: one"


@pytest.mark.parametrize("told", [False, True])
async def test_an_answer_played_while_the_microphone_was_muted_is_kept(conversing: Server, told: bool) -> None:
    """As clients without echo cancellation do; `told`: at once how much of it they will have heard."""
    async with talk(conversing.url) as ws:
        await ws.play(tone(0.1, 0))
        await ws.say("one two three four five")
        response = await answer(ws)
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
        assert await kept(ws, response) == text(response)


async def test_log_probabilities_of_what_was_said(start_server: Start) -> None:
    models = MODELS.replace("asr=talking-asr", "asr=scripted-asr")
    heard = {"turn_detection": None, "transcription": {"prompt": "steps=2", "language": "en"}}
    include = ["item.input_audio_transcription.logprobs"]
    with start_server(SPEECHMLX_MODELS=models) as server:
        async with talk(server.url, audio={"input": heard}, include=include) as ws:
            await ws.play(tone(0.5))
            await ws.send("input_audio_buffer.commit")
            completed = await ws.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "part 0. part 1."
            assert completed["languages"] == [{"code": "en"}]
            assert [one["token"] for one in completed["logprobs"]] == [" part 0.", " part 1."]


async def test_a_speech_to_speech_model_takes_the_pipelines_place(start_server: Start) -> None:
    with start_server(SPEECHMLX_MODELS=f"{MODELS},s2s=talking-s2s") as server:
        async with talk(server.url) as ws:
            await ws.play(tone(0.5) + tone(1.0, 0))
            response = (await ws.until("response.done"))["response"]
            assert response["status"] == "completed"
            assert text(response).startswith("You asked for 1.0 seconds.")
            assert len(ws.audio()) == 8 * 4800
            assert response["usage"]["output_token_details"]["text_tokens"] == 7
            item = response["output"][0]["id"]
            await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=300)
            assert await kept(ws, response) == "You asked for"
            await ws.say("hello")  # what is written has the pipeline
            assert "You said: hello." in text(await answer(ws))
