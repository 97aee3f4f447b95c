"""Which events come, and in which order, in each dialect: text turns, manual turns, cancelled responses."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.realtime_client import MANUAL, Json, talk
from support.realtime_order import ANSWER, DIALECTS, assert_linked, folded, hearing, named, since, voice
from support.scripted_conversation import tone, words

from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server

TRANSCRIPTION = {"model": "gpt-4o-mini-transcribe"}


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
            *ANSWER[3:],
        )
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await ws.quiet()
        assert ws.kinds[-1] == "response.done"
        await ws.send("response.cancel", event_id="mine")
        error = await ws.failure()
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
