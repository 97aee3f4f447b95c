"""Items as JSON values, and back."""

from __future__ import annotations

import json

import pytest

from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.items.item_state import MAX_IMAGE, item_of, item_state, without_audio
from speechmlx.conversation.items.playout import PlayoutTimeline

SPOKEN = PlayoutTimeline().begin_clause("One. ").add_audio(1.0).end_clause().begin_clause("Two.").add_audio(0.5)
CALL = Item(id="c", kind="call", role="assistant", call_id="c1", name="look", arguments='{"at": "ß"}')


@pytest.mark.parametrize(
    "item",
    [
        Item(id="a", parts=(Part("text", "hello"), Part("text", None))),
        Item(id="b", role="assistant", status="incomplete", parts=(Part("audio", "One."),), playout=SPOKEN),
        CALL,
        Item(id="d", kind="output", call_id="c1", output="sunny"),
        Item(id="e", parts=(Part("image", image={"image_url": "https://x", "detail": "low"}),)),
    ],
    ids=lambda item: item.id,
)
def test_an_item_is_the_same_again(item: Item) -> None:
    assert item_of(json.loads(json.dumps(item_state(item)))) == item


def test_recordings_and_pictures_are_left_out() -> None:
    parts = (
        Part("audio", "hello", b"\0" * 200, seconds=0.1),
        Part("image", image={"image_url": "x" * (MAX_IMAGE + 1), "detail": "low"}),
    )
    found = item_of(item_state(Item(id="a", parts=parts)))
    assert found.parts == (Part("audio", "hello", seconds=0.1), Part("image", image={"detail": "low"}))
    assert without_audio(Item(id="a", parts=parts)).parts == (Part("audio", "hello", seconds=0.1), parts[1])
    assert without_audio(CALL) is CALL
