"""A server with two recognisers: `--listen` gives the words while a person speaks, `--asr` a turn's transcript."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from protocols.conftest import Server, serve
from support.realtime_client import talk

RATE = 24000
SPOKEN = np.full(RATE, ord("h"), "<i2").tobytes()
"""A second of audio: the recogniser of whole turns reads each sample as a letter, the live one counts pieces."""
TRANSCRIPTION = "conversation.item.input_audio_transcription"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ("--asr", "hearing", "--listen", "scripted-live", "--llm", "writing", "--tts", "scripted")
    catalog = "support.scripted_cascade:extend"
    with serve(tmp_path_factory.mktemp("listen"), *flags, SPEECHMLX_CATALOG=catalog) as server:
        yield server


async def said(server: Server, **transcription: str) -> tuple[str, str]:
    """The words that came live, and the transcript of the turn."""
    heard = {"turn_detection": None, "transcription": transcription}
    async with talk(server.url, audio={"input": heard}) as ws:
        await ws.play(SPOKEN)
        await ws.until(f"{TRANSCRIPTION}.delta")
        await ws.send("input_audio_buffer.commit")
        done = await ws.until(f"{TRANSCRIPTION}.completed")
        return "".join(event["delta"] for event in ws.of(f"{TRANSCRIPTION}.delta")), done["transcript"]


@pytest.mark.parametrize("name", ["", "whisper-1"])
async def test_live_words_and_the_transcript_have_a_model_each(server: Server, name: str) -> None:
    live, transcript = await said(server, **({"model": name} if name else {}))
    assert live.replace(" ", "").isdigit()
    assert "hhhhhhhhhh" in transcript  # resampling changes letters at the ends


async def test_a_model_that_the_client_names_is_that_of_both(server: Server) -> None:
    live, transcript = await said(server, model="scripted-live")
    assert live.strip() == transcript and transcript.replace(" ", "").isdigit()


def test_each_is_a_default_of_its_own(server: Server) -> None:
    with server.client() as client:
        models = client.get("/v1/models").json()["data"]
    assert [model["id"] for model in models if model["default"] and model["kind"] == "asr"] == ["hearing"]
    assert [model["id"] for model in models if model["default_live"]] == ["scripted-live"]
