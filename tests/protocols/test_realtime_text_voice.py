"""A conversation with a voice that takes text while it is written: when it begins, what is cut, and what stops it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from protocols.conftest import serve
from support.realtime_client import MANUAL, talk
from support.scripted_conversation import MODELS, tone

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header

if TYPE_CHECKING:
    from protocols.conftest import Server

WORD = 4800
"""Bytes of a word."""
TEXT = "One two three four. Five six seven."


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = MODELS.replace("tts=talking-tts", "tts=talking-text")
    with serve(tmp_path_factory.mktemp("text-voice"), SPEECHMLX_MODELS=models) as server:
        yield server


async def test_it_speaks_the_first_words_while_the_sentence_is_written(talking: Server) -> None:
    sentence = " ".join(f"word{number:02}" for number in range(30)) + "."
    async with talk(talking.url, **MANUAL, instructions="work=0.03") as ws:
        await ws.say("load the models")
        await ws.answer()
        start = len(ws.events)
        await ws.say(f"say {sentence.replace(' ', ' |')}")
        response = await ws.answer()
        assert response["output"][0]["content"][0]["transcript"] == sentence
        kinds = ws.kinds[start:]
        written = [place for place, kind in enumerate(kinds) if kind == "response.output_audio_transcript.delta"]
        assert kinds.index("response.output_audio.delta") < written[-1]


async def test_what_is_cut_is_cut_by_sentences_and_their_words(talking: Server) -> None:
    async with talk(talking.url, **MANUAL) as ws:
        await ws.say(f"say {TEXT.replace(' ', ' |')}")
        response = await ws.answer()
        assert len(ws.audio()) == 7 * WORD
        cut = {"item_id": response["output"][0]["id"], "content_index": 0}
        for milliseconds, left in ((700, TEXT), (500, "One two three four. Five"), (400, TEXT[:19]), (200, "One two")):
            await ws.send("conversation.item.truncate", **cut, audio_end_ms=milliseconds)
            await ws.until("conversation.item.truncated")
            assert await ws.kept(response["output"][0]) == left


async def test_pauses_have_their_length(talking: Server) -> None:
    async with talk(talking.url, **MANUAL) as ws:
        await ws.say("say [pause:500ms]One |two [pau|se:1s]three. [pause:200ms]")
        await ws.answer()
        found = ws.audio()
        assert len(found) == 3 * WORD + round(1.7 * 48000)
        assert not any(found[:24000]) and not any(found[24000 + 2 * WORD :][:48000]) and not any(found[-9600:])


async def test_an_interruption_stops_it(talking: Server) -> None:
    async with talk(talking.url, audio={**MANUAL["audio"], "output": {"voice": "work=0.05"}}) as ws:
        await ws.say(f"say {'word ' * 40}")
        await ws.send("response.create")
        await ws.until("response.output_audio.delta")
        await ws.send("response.cancel")
        assert (await ws.until("response.done"))["response"]["status"] == "cancelled"
        assert len(ws.audio()) < 20 * WORD
        await ws.say("say Here I am.")
        assert (await ws.answer())["status"] == "completed"
    with talking.client() as client:
        assert client.get("/health").json()["engine"] == "ok"


@pytest.mark.parametrize(("voice", "status"), [("fail=2", "failed"), ("level=0", "completed")])
async def test_a_voice_that_fails_or_is_silent(talking: Server, voice: str, status: str) -> None:
    async with talk(talking.url, audio={**MANUAL["audio"], "output": {"voice": voice}}) as ws:
        await ws.say(f"say {TEXT}")
        response = await ws.answer()
        assert response["status"] == status
        assert response["output"][0]["content"][0]["transcript"] == TEXT


def test_respond_has_its_words_and_sound(talking: Server) -> None:
    question = wav_header(16000, 6400) + tone(0.4, rate=16000)
    with talking.client() as client:
        found = client.post("/respond", content=question)
    assert found.status_code == 200, found.text
    said = unquote(found.headers["x-response-text"])
    assert said.startswith("You said: one two three") and said.endswith("I am here.")
    assert decode(found.content, 24000).duration == pytest.approx(0.1 * len(said.split()))
