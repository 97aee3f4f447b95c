"""Xinference's client and ChatTTS, with small weights: its documented calls, and what the arguments do."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from protocols.conftest import TESTS, Server, serve
from support.openai_audio import WAV
from support.small_checkpoints import numbers
from support.tiny_chattts import WIDTH
from support.torch_checkpoint import checkpoint, tensor
from xinference_client import RESTfulClient

TEXT = "Hello you."
PLAIN = {"skip_refine_text": True}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("chattts")
    environment = {
        "SPEECHMLX_CATALOG": "support.chattts_row:extend",
        "SPEECHMLX_CACHE": str(home / "cache"),
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    with serve(home / "server", scripted=False, **environment) as server:
        yield server


@pytest.fixture(scope="module")
def model(tiny: Server) -> Iterator[Any]:
    with closing(RESTfulClient(tiny.url)) as client:
        yield client.get_model(client.launch_model("ChatTTS", model_type="audio"))


def emb_data(path: Path, count: int = WIDTH) -> str:
    """A speaker as Xinference's documents have it: base64 of a tensor that torch.save wrote."""
    vector = numbers(4, count)
    checkpoint(path, tensor("FloatStorage", "0", count, 0, (count,), (1,)), {"0": vector.tobytes()})
    return base64.b64encode(path.read_bytes()).decode()


def test_the_documented_calls(model: Any, tmp_path: Path) -> None:
    """By a name, which is a voice whatever it is, by emb_data, and as a stream."""
    assert len(model.speech(TEXT)) > 100, "MP3"
    named = model.speech(TEXT, voice="echo", response_format="wav", **PLAIN)
    assert named[:4] == b"RIFF"
    data = emb_data(tmp_path / "speaker.pt")
    assert len(data) > 400
    given = model.speech(TEXT, voice=data, response_format="wav", **PLAIN)
    assert given != named and given == model.speech(TEXT, voice=data, response_format="wav", **PLAIN)
    chunks = list(model.speech(TEXT, voice="echo", stream=True, **PLAIN))
    assert chunks and len(b"".join(chunks)) > 100


def test_each_argument_acts(model: Any) -> None:
    asked: list[dict[str, Any]] = [
        PLAIN,
        {},
        {"prompt": "[oral_2][laugh_0][break_6]"},
        {**PLAIN, "voice": "alloy"},
        {**PLAIN, "voice": "echo"},
        {**PLAIN, "speed": 0.5},
        {**PLAIN, "seed": 7},
        {**PLAIN, "temperature": 1.5},
    ]
    found = [model.speech(TEXT, response_format="wav", **arguments) for arguments in asked]
    assert len(set(found)) == len(found) and all(sound[:4] == b"RIFF" for sound in found)
    assert model.speech(TEXT, response_format="wav", **PLAIN) == found[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"voice": "x" * 401}, "so it should be emb_data"),
        ({"speaker_wav": 1}, "ChatTTS has no option speaker_wav; its options are seed, temperature"),
        ({"prompt": "loud"}, r"in marks like \[oral_2\]\[laugh_0\]\[break_6\]"),
        ({"speed": 3}, "speed 3 is out of range: 0.25 to 2"),
        ({"prompt_speech": WAV}, "this model imitates none: choose another model, or name any voice"),
    ],
)
def test_what_is_refused(model: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(RuntimeError, match=says):
        model.speech(TEXT, **arguments)
