"""The realtime tests' own client: it sees a field too many, and one too few, wherever they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from support.realtime_client import Json, check

from speechmlx.conversation import events as say
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.settings import Answering
from speechmlx.protocols.openai_realtime.schema import Dialect
from speechmlx.protocols.openai_realtime.wire import RealtimeWire

ITEM = Item(id="item_1", role="assistant", parts=(Part("audio", "Hello."),))
DONE = say.ResponseDone(
    say.Response(id="resp_1", answering=Answering(), status="completed", items=(ITEM,), cost=say.Cost(1, 2))
)
CLOSED = say.OutputDone("resp_1", ITEM, 0, None, out_of_band=False, spoken=True)
Find = Callable[[Json], Json]
OBJECTS: list[tuple[str, Find]] = [
    ("session.created", lambda event: event["session"]),
    ("response.done", lambda event: event["response"]),
    ("response.done", lambda event: event["response"]["usage"]),
    ("response.done", lambda event: event["response"]["usage"]["input_token_details"]),
    ("response.done", lambda event: event["response"]["output"][0]),
    ("response.done", lambda event: event["response"]["output"][0]["content"][0]),
    ("response.content_part.done", lambda event: event["part"]),
    ("response.output_item.done", lambda event: event["item"]),
]
OF_ONE: list[tuple[Dialect, bool, str, Find]] = [
    ("ga", True, "session.created", lambda event: event["session"]),
    ("ga", False, "session.created", lambda event: event["session"]["audio"]["input"]),
    ("ga", False, "session.created", lambda event: event["session"]["audio"]["input"]["turn_detection"]),
    ("ga", False, "session.created", lambda event: event["session"]["audio"]["output"]),
    ("beta", True, "transcription_session.created", lambda event: event),
    ("beta", True, "transcription_session.created", lambda event: event["session"]),
    ("beta", False, "session.created", lambda event: event["session"]["turn_detection"]),
]


def sent(dialect: Dialect, transcribes: bool, kind: str) -> Json:
    wire = RealtimeWire(dialect, "local", transcribes, 1_000_000)
    events = [json.loads(one) for one in [*wire.greeting(), *wire.send(CLOSED), *wire.send(DONE)]]
    return next(event for event in events if event["type"] == kind)


@pytest.mark.parametrize(
    ("dialect", "transcribes", "kind", "find"),
    [*((dialect, False, *case) for case in OBJECTS for dialect in ("ga", "beta")), *OF_ONE],
)
def test_no_field_more_or_less(dialect: Dialect, transcribes: bool, kind: str, find: Find) -> None:
    event = sent(dialect, transcribes, kind)
    check(event, dialect)
    for name in [*find(event), "unheard_of"]:
        changed: Any = deepcopy(event)
        if name == "unheard_of":
            find(changed)[name] = 1
        else:
            del find(changed)[name]
        with pytest.raises((AssertionError, ValueError, KeyError)):
            check(changed, dialect)
