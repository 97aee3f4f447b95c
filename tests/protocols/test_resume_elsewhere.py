"""Servers that share a folder of sessions: one is killed, and its clients go on at the other with each word once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websockets
from protocols.conftest import Server, serve
from support.live_wires import RATE, WIRES
from support.resumed_conversation import Talk, talk
from support.resuming import Resuming, resuming
from support.scripted_conversation import NUMBERS, tone, words
from support.scripted_loudness import LOUDNESS_MODELS, spelt_in_tones

from speechmlx.protocols.safe_store import file_name

SOCKETS = tuple(wire for wire in WIRES if wire != "wyoming")
PIECE = 3200
"""Bytes of 0.1 s of audio."""
TURNS = ((1, 2, 3, 4, 5, 6, 7), (9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8), (2, 4, 6, 8, 1, 3))
"""Numbers that are said, by turn."""
SAID = [NUMBERS[number] for turn in TURNS for number in turn]
MINE, ANOTHERS = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}


def spoken() -> bytes:
    pause = tone(1.0, level=0.0, rate=RATE)
    return b"".join(spelt_in_tones(turn) + pause for turn in TURNS)


def server(folder: Path, name: str) -> AbstractContextManager[Server]:
    """One of the servers."""
    return serve(
        folder / name,
        *("--api-key", "one", "--api-key", "two"),
        SPEECHMLX_MODELS=LOUDNESS_MODELS,
        SPEECHMLX_RESUME_WINDOW="20",
        SPEECHMLX_SESSION_FOLDER=str(folder / "live"),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def other(folder: Path) -> Iterator[Server]:
    """The server where clients go on."""
    with server(folder, "other") as found:
        asyncio.run(warm(found))
        yield found


async def opened(stack: AsyncExitStack, at: Server, *wires: str) -> dict[str, Resuming]:
    """A session on each of the wires, which has begun."""
    clients = {wire: await stack.enter_async_context(resuming(wire, at.url, True, **MINE)) for wire in wires}
    async with asyncio.timeout(40):
        while not all(one.line.received for one in clients.values()):
            await asyncio.sleep(0.02)
    return clients


async def warm(at: Server) -> None:
    """Load the models: on a busy machine that takes longer than Deepgram's clients may be silent."""
    async with AsyncExitStack() as stack:
        await opened(stack, at, "whisperlive")


async def say(clients: dict[str, Resuming], audio: bytes) -> None:
    for place in range(0, len(audio), PIECE):
        for one in clients.values():
            await one.client.send(audio[place : place + PIECE])
        await asyncio.sleep(0.02)


async def finished(clients: dict[str, Resuming]) -> dict[str, list[str]]:
    """The words that each client has in the end."""
    heard = await asyncio.gather(*(one.client.finish() for one in clients.values()))
    return {wire: [word.strip(".,!?").lower() for word in words] for wire, words in zip(clients, heard, strict=True)}


def record(folder: Path, client: Resuming, path: str) -> Path:
    """The file of a session of the first key."""
    (found,) = (folder / "live").glob(file_name(client.line.id, path, "api_key_1") + "-*")
    return found


async def refusal(at: Server, client: Resuming, path: str, headers: dict[str, str]) -> str:
    """What a client is told that wants to go on with a session on /asr."""
    address = f"ws://{urlsplit(at.url).netloc}{path}?session_id={client.line.id}&received=1"
    async with websockets.connect(address, proxy=None, additional_headers=headers) as socket:
        return str(await socket.recv())


async def test_each_word_once_when_the_server_is_killed_in_mid_speech(folder: Path, other: Server) -> None:
    audio = spoken()
    with server(folder, "killed") as killed:
        await warm(killed)
        async with AsyncExitStack() as stack:
            clients = await opened(stack, killed, *SOCKETS)
            (torn,) = (await opened(stack, killed, "asr")).values()
            await say({**clients, "torn": torn}, audio[: 28 * PIECE])
            await asyncio.sleep(0.5)
            killed.process.kill()
            file = record(folder, torn, "/asr")
            assert file.stat().st_mode & 0o777 == 0o600 and file.stat().st_size < 20_000
            assert b"Bearer" not in file.read_bytes()
            assert "begin a new one" in await refusal(other, torn, "/asr", ANOTHERS)
            assert "begin a new one" in await refusal(other, torn, "/ws/transcribe", MINE)
            file.write_bytes(file.read_bytes()[:-1])
            assert "begin a new one" in await refusal(other, torn, "/asr", MINE)
            for one in clients.values():
                one.line.move(other.url)
                await one.come_back()
            await say(clients, audio[28 * PIECE :])
            assert await finished(clients) == dict.fromkeys(SOCKETS, SAID)
            assert not [one.client.failures for one in clients.values() if one.client.failures]
    log = other.log.read_text()
    assert "Traceback" not in log and "the record is damaged" in log
    async with asyncio.timeout(30):  # records are removed with their sessions
        while list((folder / "live").iterdir()):
            await asyncio.sleep(0.05)


async def test_sessions_of_a_server_that_stops_go_on_elsewhere_and_come_back(folder: Path, other: Server) -> None:
    """The second time from a server that lives: the client has come to another one by chance."""
    audio = spoken()
    with server(folder, "stopping") as stopping, server(folder, "newest") as newest:
        await warm(stopping)
        await warm(newest)
        async with AsyncExitStack() as stack:
            clients = await opened(stack, stopping, "deepgram", "openai_realtime")
            await say(clients, audio[: 12 * PIECE])
            stopping.process.send_signal(signal.SIGTERM)
            for one in clients.values():
                assert (await one.line.closed())[0] == 1012
                one.line.move(other.url)
                await one.come_back()
            await say(clients, audio[12 * PIECE : 20 * PIECE])
            for one in clients.values():
                one.cut()
                one.line.move(newest.url)
                await one.come_back()
            await say(clients, audio[20 * PIECE :])
            assert await finished(clients) == dict.fromkeys(clients, SAID)
    assert "Traceback" not in other.log.read_text() + stopping.log.read_text()


async def test_a_conversation_whose_server_is_killed_between_turns_goes_on(folder: Path, other: Server) -> None:
    with server(folder, "killed_between") as killed:
        async with talk(killed.url, **MINE) as one:
            await one.update(instructions="Be brief.", audio={"input": {"transcription": {"model": "whisper-1"}}})
            await one.speak(0.5)
            spoken = (await one.until("response.done"))["response"]["output"][0]
            answer = await one.ask("fruit", "say apples |and pears")
            await one.write("unsaid", "Forget this.")
            await one.say("conversation.item.delete", item_id="unsaid")
            await one.until("conversation.item.deleted")
            await one.speak(0.3, silence=0.0)
            await one.until("input_audio_buffer.speech_started")
            killed.process.kill()
            await one.move(other.url)
            await one.speak(0.2)
            assert (await one.until("response.done"))["response"]["status"] == "completed"
            recalled = await one.ask("again", "recall")
            turn = next(message["item_id"] for message in one.heard if message["type"].endswith("committed"))
            told = one.times("conversation.item.added", "item", "id")
            first, second = said(one)
            assert second == words(0.5), "each word once"
            parts = recalled.split(" / ")
            assert parts[:2] == ["Be brief.", first] and parts[-4:-1] == ["say apples |and pears", answer, second]
            assert parts[-1].startswith(f"You said: {second}. Well")
            heard = "".join(parts[2:-4])  # before the interruption
            assert f"You said: {first}. Well, that".startswith(heard[:20]) and len(parts) in (6, 7)
            assert set(told.values()) == {1}, told
            assert {turn, spoken["id"], "fruit", "unsaid", "again"} < told.keys()
            for before, id in ((None, turn), (turn, spoken["id"]), (spoken["id"], "fruit")):
                added = [m for m in one.heard if m["type"] == "conversation.item.added" and m["item"]["id"] == id]
                assert [message["previous_item_id"] for message in added] == [before]
                await one.say("conversation.item.retrieve", item_id=id)
                assert (await one.until("conversation.item.retrieved", "error"))["item"]["id"] == id
            assert set(one.times("response.done", "response", "id").values()) == {1}
            assert one.times("conversation.item.deleted", "item_id") == {"unsaid": 1}
            assert not one.times("error", "event_id")


def said(one: Talk) -> list[str]:
    """The transcripts of the turns."""
    return [str(message["transcript"]) for message in one.heard if message["type"].endswith("tion.completed")]


async def test_an_answer_whose_server_is_killed_has_failed_and_can_be_asked_for(folder: Path, other: Server) -> None:
    with server(folder, "killed_in_answer") as killed:
        async with talk(killed.url, **MINE) as one:
            await one.update(instructions="work=0.2")
            await one.write("question", "Is it far?")
            await one.say("response.create")
            await one.until("response.output_audio.delta")
            await one.until("response.output_audio_transcript.delta")
            killed.process.kill()
            await one.move(other.url)
            done = (await one.until("response.done"))["response"]
            assert done["status"] == "failed" and done["status_details"]["error"]["code"] == "engine_lost"
            assert [item["status"] for item in done["output"]] == ["incomplete"]
            assert one.times("response.created", "response", "id") == {done["id"]: 1}
            await one.update(instructions="")
            await one.say("response.create")
            assert (await one.until("response.done"))["response"]["status"] == "completed"
            assert set(one.times("conversation.item.added", "item", "id").values()) == {1}
            assert set(one.times("response.done", "response", "id").values()) == {1}


async def test_a_turn_whose_answer_had_not_begun_is_answered_anew(folder: Path, other: Server) -> None:
    with server(folder, "killed_before_answer") as killed:
        async with talk(killed.url, **MINE) as one:
            await one.update(instructions="work=5")
            await one.speak(0.4)
            lost = (await one.until("response.created"))["response"]["id"]
            killed.process.kill()
            await one.move(other.url)
            failed, done = (await one.until("response.done"))["response"], (await one.until("response.created"))
            assert (failed["id"], failed["status"], failed["output"]) == (lost, "failed", [])
            await one.say("response.cancel", response_id=done["response"]["id"])
            assert (await one.until("response.done"))["response"]["status"] == "cancelled"
            assert len(one.times("response.created", "response", "id")) == 2
            assert len(one.times("conversation.item.added", "item", "id")) == 1
