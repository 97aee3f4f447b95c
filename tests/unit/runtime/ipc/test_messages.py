"""Every message is a frozen value that survives the pipe."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from speechmlx.models.spec import Model
from speechmlx.runtime.ipc.framing import Unpacker, pack
from speechmlx.runtime.ipc.messages import (
    CancelJob,
    Ended,
    Failure,
    HeldModel,
    Input,
    InputConsumed,
    MemoryReport,
    Output,
    OutputConsumed,
    Ready,
    Setup,
    Start,
)
from speechmlx.types import Chunk, End, Kind, Speak

MODEL = Model(name="m", kind=Kind.TTS, engine="none:load", sources=(), size=0, memory=0, rate=24000, licence="none")
MESSAGES = [
    Setup(1_000_000, 0.5),
    Start(1, Speak(text="hello"), MODEL, "/folder"),
    Input(1, End()),
    OutputConsumed(1, 8),
    CancelJob(1),
    Ready("cpu"),
    Output(1, Chunk(b"\0\0", 24000)),
    InputConsumed(1, 1),
    Ended(1),
    Ended(1, Failure("busy", "full", 1.0)),
    MemoryReport((HeldModel("m", "loaded", 5, True),)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_equal_after_the_pipe_and_cannot_be_changed(message: Any) -> None:
    frame = b"".join(bytes(part) for part in pack(message))
    assert list(Unpacker().feed(frame)) == [message]
    with pytest.raises(FrozenInstanceError):
        setattr(message, fields(message)[0].name, None)
