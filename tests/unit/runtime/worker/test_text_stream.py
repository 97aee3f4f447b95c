"""A request whose text is fed in pieces, and input of a kind that a request does not take."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import scripted

from speechmlx.engines import LoadOptions
from speechmlx.models.spec import Model
from speechmlx.runtime.ipc.messages import Ended, EngineReport, Input, InputConsumed, Output, Setup, Start
from speechmlx.runtime.worker.worker import Worker
from speechmlx.types import (
    Command,
    End,
    Enhance,
    Event,
    Feed,
    FeedText,
    FlushText,
    Progress,
    Request,
    SpeakStream,
    TextDelta,
    Usage,
)

SPEAKER = replace(scripted.ROW, name="spelling", engine="unit.runtime.worker.test_text_stream:load")
ENHANCER = scripted.ROWS[[row.name for row in scripted.ROWS].index("scripted-enhance")]


class Spelling:
    """Gives back each piece of the text as it comes."""

    nbytes = 1_000_000

    def open(self, request: Request) -> Spelling:
        return self

    def feed_text(self, text: str) -> Iterator[Event | None]:
        yield None
        yield TextDelta(text)

    def finish(self) -> Iterator[Event | None]:
        yield Usage(tokens_in=1)

    def close(self) -> None:
        pass


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Spelling]:
    yield Progress("load", 1, 1)
    return Spelling()


def run(request: Request, model: Model, *commands: Command) -> list[object]:
    """The messages of a job that gets these commands."""
    messages = list[object]()
    worker = Worker(messages.append, LoadOptions(), clock=lambda: 0.0)
    worker.handle(Setup(2_000_000_000, 0.0))
    worker.handle(Start(1, request, model, ""))
    for command in commands:
        worker.handle(Input(1, command))
    while worker.step():
        pass
    return [message for message in messages if not isinstance(message, EngineReport)]


def test_a_text_is_fed_in_pieces() -> None:
    messages = run(SpeakStream(), SPEAKER, FeedText("One "), FeedText("two."), End())
    events = [message.event for message in messages if isinstance(message, Output)]
    assert events == [TextDelta("One "), TextDelta("two."), Usage(tokens_in=1)]
    assert sum(message.count for message in messages if isinstance(message, InputConsumed)) == 3
    assert messages[-1] == Ended(1, None)


@pytest.mark.parametrize(
    ("request_", "model", "command", "says"),
    [
        (SpeakStream(), SPEAKER, Feed(np.zeros(160, np.float32)), "SpeakStream does not take Feed commands"),
        (SpeakStream(), SPEAKER, FlushText(), "SpeakStream does not take FlushText commands"),
        (Enhance(), ENHANCER, FeedText("One"), "Enhance does not take FeedText commands"),
    ],
)
def test_input_of_another_kind_is_refused(request_: Request, model: Model, command: Command, says: str) -> None:
    ended = run(request_, model, command)[-1]
    assert isinstance(ended, Ended) and ended.failure is not None
    assert (ended.failure.code, ended.failure.message) == ("unsupported", says)
