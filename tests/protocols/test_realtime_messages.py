"""What each message does: items that really change, responses to order, formats, sessions of every kind, errors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.realtime_client import MANUAL, Json, talk, text_of
from support.scripted_conversation import tone, words

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server


# --- items -------------------------------------------------------------------------------------------------------


async def test_items_are_put_where_they_belong(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        part = [{"type": "input_text", "text": "a"}]
        for id, after in (("b", None), ("a", "root"), ("c", "b"), ("d", "a")):
            item = {"id": id, "type": "message", "role": "user", "content": part}
            await ws.send("conversation.item.create", item=item, **({"previous_item_id": after} if after else {}))
            added = await ws.until("conversation.item.added")
            assert added["item"]["id"] == id
            assert added["previous_item_id"] == {"root": None, None: None}.get(after, after)
        await ws.send("conversation.item.create", item=item)
        assert (await ws.failure())["code"] == "item_create_duplicate_item_id"
        item["id"] = "e"
        await ws.send("conversation.item.create", item=item, previous_item_id="nobody")
        assert (await ws.failure())["code"] == "item_create_invalid_previous_item_id"


async def test_a_deleted_item_is_forgotten(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("first")
        first = (await ws.until("conversation.item.done"))["item"]["id"]
        await ws.say("second")
        second = (await ws.until("conversation.item.done"))["item"]["id"]
        await ws.send("conversation.item.delete", item_id=second)
        assert (await ws.until("conversation.item.deleted"))["item_id"] == second
        assert "first" in text_of(await ws.answer(output_modalities=["text"]))
        for kind in ("delete", "retrieve"):
            await ws.send(f"conversation.item.{kind}", item_id=second, event_id="mine")
            error = await ws.failure()
            assert (error["code"], error["event_id"]) == (f"item_{kind}_invalid_item_id", "mine")
            assert second in error["message"]
        await ws.send("conversation.item.retrieve", item_id=first)
        assert (await ws.until("conversation.item.retrieved"))["item"]["content"][0]["text"] == "first"


async def test_retrieved_audio_is_what_was_sent(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        sent = tone(0.5)
        await ws.play(sent)
        await ws.send("input_audio_buffer.commit")
        item = (await ws.until("input_audio_buffer.committed"))["item_id"]
        await ws.send("conversation.item.retrieve", item_id=item)
        content = (await ws.until("conversation.item.retrieved"))["item"]["content"][0]
        heard = from_pcm16(base64.b64decode(content["audio"]))
        assert abs(len(heard) - len(sent) // 2) <= 2
        middle = slice(2400, 9600)
        assert np.corrcoef(heard[middle], from_pcm16(sent)[middle])[0, 1] > 0.99


@pytest.mark.parametrize(("asked", "told"), [(0, 0), (300, 300), (10_000_000, None)])
async def test_truncate_cuts_words_and_clamps(conversing: Server, asked: int, told: int | None) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("one two three four five")
        item = (await ws.answer())["output"][0]
        length = len(ws.audio()) // 48
        await ws.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=asked)
        truncated = await ws.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == (length if told is None else told)
        kept = await ws.kept(item)
        whole = item["content"][0]["transcript"]
        assert kept == {0: "", 300: "You said: one"}.get(asked, whole)


async def test_only_speech_can_be_truncated(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("hello")
        item = (await ws.until("conversation.item.done"))["item"]["id"]
        await ws.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=0)
        assert (await ws.failure())["code"] == "unsupported_content_type"
        await ws.send("conversation.item.truncate", item_id="nobody", content_index=0, audio_end_ms=0)
        assert (await ws.failure())["code"] == "item_truncate_invalid_item_id"


@pytest.mark.parametrize("part", [1, -1, 7])
async def test_only_a_part_that_there_is_can_be_truncated(conversing: Server, part: int) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("one two three")
        item = (await ws.answer())["output"][0]
        cut = {"item_id": item["id"], "content_index": part, "audio_end_ms": 100, "event_id": "mine"}
        await ws.send("conversation.item.truncate", **cut)
        error = await ws.failure()
        assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "content_index", "mine")
        assert error["message"].endswith(f"has no content part {part}, only 0")
        kept = await ws.kept(item)
        assert kept == item["content"][0]["transcript"]


async def test_an_answer_under_way_has_one_part(conversing: Server) -> None:
    async with talk(conversing.url, audio={**MANUAL["audio"], "output": {"voice": "work=0.03"}}) as ws:
        await ws.say("one two three")
        await ws.send("response.create")
        item = (await ws.until("response.output_audio.delta"))["item_id"]
        await ws.send("conversation.item.truncate", item_id=item, content_index=1, audio_end_ms=0)
        assert (await ws.failure())["param"] == "content_index"
        assert (await ws.until("response.done"))["response"]["status"] == "completed"


async def test_a_recording_put_into_the_conversation_is_heard(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        part = {"type": "input_audio", "audio": base64.b64encode(tone(0.4)).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        await ws.send("conversation.item.create", item=item)
        assert words(0.4) in text_of(await ws.answer())


async def test_a_recording_that_a_response_is_given_is_heard(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}}) as ws:
        sound = g711.encode(from_pcm16(tone(0.4, rate=8000)), "ulaw")
        part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        assert words(0.4) in text_of(await ws.answer(input=[item], conversation="none", output_modalities=["text"]))


# --- responses ---------------------------------------------------------------------------------------------------


async def test_a_response_outside_the_conversation(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("inside")
        await ws.until("conversation.item.done")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "outside"}]}
        response = await ws.answer(
            conversation="none", input=[item], metadata={"topic": "x"}, output_modalities=["text"]
        )
        assert "outside" in text_of(response)
        assert (response["conversation_id"], response["metadata"]) == (None, {"topic": "x"})
        assert ws.kinds.count("conversation.item.added") == 1
        assert ws.of("response.created")[0]["response"]["metadata"] == {"topic": "x"}
        assert "inside" in text_of(await ws.answer(output_modalities=["text"]))


async def test_items_referred_to(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("alpha")
        alpha = (await ws.until("conversation.item.done"))["item"]["id"]
        await ws.say("beta")
        reference = {"type": "item_reference", "id": alpha}
        assert "alpha" in text_of(await ws.answer(input=[reference], output_modalities=["text"]))
        await ws.send("response.create", response={"input": [{"type": "item_reference", "id": "nobody"}]})
        assert "nobody" in (await ws.failure())["message"]


async def test_instructions_count_for_one_response(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL, instructions="of the session", output_modalities=["text"]) as ws:
        await ws.say("hello")
        failed = await ws.answer(instructions="fail=0")
        assert "scripted to fail" in failed["status_details"]["error"]["message"]
        assert (await ws.answer())["status"] == "completed"


async def test_one_response_at_a_time(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.say("hello")
        await ws.send("response.create", response={"instructions": "work=0.02"})
        created = (await ws.until("response.created"))["response"]["id"]
        await ws.send("response.create")
        error = await ws.failure()
        assert error["code"] == "conversation_already_has_active_response"
        assert created in error["message"]
        await ws.play(tone(0.2))
        await ws.send("input_audio_buffer.commit")
        await ws.until("input_audio_buffer.committed")  # a commit takes no response's place
        assert (await ws.until("response.done"))["response"]["status"] == "completed"


@pytest.mark.parametrize("where", ["instructions", "voice", "prompt"])
async def test_a_failing_model_fails_the_response_and_nothing_else(conversing: Server, where: str) -> None:
    heard: dict[str, Any] = {"turn_detection": None, "transcription": {}}
    if where == "prompt":
        heard["transcription"] = {"prompt": "work=0.3 fail=0"}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        if where == "prompt":
            await ws.play(tone(0.3))
            await ws.send("input_audio_buffer.commit")
            response = await ws.answer()
            (failed,) = ws.of("conversation.item.input_audio_transcription.failed")
            assert "scripted to fail" in failed["error"]["message"]
        else:
            await ws.say("hello")
            given = (
                {"instructions": "fail=2"} if where == "instructions" else {"audio": {"output": {"voice": "fail=0"}}}
            )
            response = await ws.answer(**given)
        assert response["status"] == "failed"
        assert "scripted to fail" in response["status_details"]["error"]["message"]
        assert response["status_details"]["error"]["type"] == "server_error"
        assert not ws.of("error")  # which pipecat takes for the end of all
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "again"}]}
        response = await ws.answer(input=[item], audio={"output": {"voice": "alloy"}})
        assert response["status"] == "completed"
        assert (await ws.answer())["status"] == "completed"  # of the whole conversation, what failed in it too


# --- audio -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "law"), [("audio/pcmu", "ulaw"), ("audio/pcma", "alaw")])
async def test_telephone_audio_both_ways(conversing: Server, kind: str, law: g711.Law) -> None:
    formats = {"input": {"format": {"type": kind}, "turn_detection": None}, "output": {"format": {"type": kind}}}
    async with talk(conversing.url, audio=formats) as ws:
        await ws.play(g711.encode(from_pcm16(tone(0.5, rate=8000)), law), piece=777)
        await ws.send("input_audio_buffer.commit")
        said = text_of(await ws.answer())
        assert words(0.5) in said
        heard = g711.decode(ws.audio(), law)
        assert abs(len(heard) - 800 * len(said.split())) <= 8
        assert np.abs(heard).max() > 0.7


async def test_noise_reduction(conversing: Server) -> None:
    heard: Json = {"noise_reduction": {"type": "near_field"}, "transcription": {}}
    async with talk(conversing.url, audio={"input": heard}) as ws:
        await ws.play(tone(0.5, 0) + tone(0.6) + tone(0.8, 0))
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == words(0.6)
        assert abs(ws.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] - 200) < 100
        heard = {**heard, "turn_detection": None}
        await ws.send("session.update", session={"type": "realtime", "audio": {"input": heard}})
        await ws.until("session.updated")
        await ws.send("input_audio_buffer.clear")
        await ws.play(tone(0.4))
        await ws.send("input_audio_buffer.commit")
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == words(0.4)


async def test_samples_cut_in_two(conversing: Server) -> None:
    async with talk(conversing.url, audio={"input": {"turn_detection": None, "transcription": {}}}) as ws:
        await ws.play(tone(0.5), piece=1001)
        await ws.send("input_audio_buffer.commit")
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == words(0.5)


async def test_too_little_audio(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.play(tone(0.05))
        await ws.send("input_audio_buffer.commit")
        error = await ws.failure()
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert "buffer only has 50.00ms of audio" in error["message"]
        await ws.send("input_audio_buffer.clear")
        await ws.until("input_audio_buffer.cleared")
        await ws.play(tone(0.3))
        await ws.send("input_audio_buffer.clear")
        await ws.until("input_audio_buffer.cleared")
        await ws.send("input_audio_buffer.commit")
        assert "0.00ms" in (await ws.failure())["message"]


async def test_a_long_append(conversing: Server) -> None:
    async with talk(conversing.url, **MANUAL) as ws:
        await ws.play(tone(120.0, 0) + tone(0.3), piece=10_000_000)
        await ws.send("input_audio_buffer.commit")
        assert words(0.3) in text_of(await ws.answer())


@pytest.mark.parametrize("dialect", ["ga", "beta"])
async def test_transcription_while_somebody_speaks(conversing: Server, dialect: str) -> None:
    heard = {"model": "talking-live"}
    fields = {"audio": {"input": {"transcription": heard}}} if dialect == "ga" else {"input_audio_transcription": heard}
    async with talk(conversing.url, "?intent=transcription", dialect, **fields) as ws:
        await ws.play(tone(1.0))
        delta = "conversation.item.input_audio_transcription.delta"
        first = await ws.until(delta)
        assert "input_audio_buffer.speech_stopped" not in ws.kinds
        await ws.play(tone(0.8, 0))
        completed = await ws.until("conversation.item.input_audio_transcription.completed")
        assert "".join(event["delta"] for event in ws.of(delta)) == completed["transcript"] == words(1.0)
        assert {event["item_id"] for event in ws.of(delta)} == {completed["item_id"]} == {first["item_id"]}
        await ws.send("response.create")
        assert (await ws.failure())["code"] == "invalid_session_type"
