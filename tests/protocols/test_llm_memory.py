"""A server whose memory has room for a language model and a short chat: longer ones are refused with the numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocols.conftest import Start
from websockets.sync.client import connect

MODEL = "smollm2-135m-instruct"


def test_a_chat_that_memory_has_no_room_for_is_refused(
    start_server: Start, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    models = tmp_path / "cache/models"
    models.mkdir(parents=True)
    for name in (MODEL, "silero-vad"):
        (models / name).symlink_to(model_folder(name))
    session = {"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}

    def answer(socket: Any, text: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        for message in ({"type": "conversation.item.create", "item": item}, {"type": "response.create"}):
            socket.send(json.dumps(message))
        while (event := json.loads(socket.recv(60)))["type"] != "response.done":
            assert event["type"] != "error", event
        response: dict[str, Any] = event["response"]
        return response

    flags = ("--memory-limit", "570MB", "--asr", "scripted-asr", "--tts", "scripted", "--llm", MODEL)
    with (
        start_server(*flags, SPEECHMLX_CACHE=str(models.parent)) as server,
        connect(f"{server.url.replace('http', 'ws')}/v1/realtime", proxy=None) as socket,
    ):
        socket.send(json.dumps({"type": "session.update", "session": session}))
        short = answer(socket, "What is the capital of France?")
        long = answer(socket, "word " * 1000)
    assert short["status"] == "completed" and "Paris" in short["output"][0]["content"][0]["text"]
    assert long["status"] == "failed"
    said = json.dumps(long["status_details"])
    assert re.search(r"the prompt is 1\d{3} tokens; the model takes \d{3}, answer included: its keys and values", said)
    assert "take 0.046 MB a token" in said and "(--memory-limit)" in said
