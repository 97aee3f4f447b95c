"""The one writer of a history: items of the client, of turns and of responses."""

from __future__ import annotations

import pytest

from speechmlx.conversation.errors import NoSuchItem
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.conversation.settings import Answering, ResponseRequest


def item(id: str, **fields: object) -> Item:
    return Item(id=id, **{"parts": (Part("text", id),), **fields})  # type: ignore[arg-type]


def conversation(*items: Item) -> Conversation:
    made = Conversation(items[:1])
    for one in items[1:]:
        made.add(one)
    return made


def request(*input: Item | str) -> ResponseRequest:
    return ResponseRequest(answering=Answering(), input=input or None)


@pytest.mark.parametrize(
    ("items", "awaits"),
    [
        ((), False),
        ((item("a"),), True),
        ((item("a"), item("b", role="assistant")), False),
        ((item("a", kind="output", role="assistant"),), True),
        ((item("a"), item("b", kind="call", role="assistant")), False),
    ],
)
def test_whether_an_answer_is_due(items: tuple[Item, ...], awaits: bool) -> None:
    assert conversation(*items).awaits_answer == awaits


def test_what_a_response_answers() -> None:
    own = item("own")
    made = conversation(item("a"), item("b", role="assistant", status="in_progress"), item("c"))
    assert [one.id for one in made.items_for(request())] == ["a", "c"]
    assert [one.id for one in made.items_for(request("c", own, "b"))] == ["c", "own", "b"]
    with pytest.raises(NoSuchItem) as missing:
        made.items_for(request("a", "x"))
    assert (missing.value.item, missing.value.purpose) == ("x", "reference")


def test_transcripts_of_items_that_may_be_deleted() -> None:
    made = conversation(Item(id="a", parts=(Part("audio", None, b".."),)))
    made.set_transcript("a", "hello")
    assert made.get("a").text == "hello"
    made.delete("a")
    made.set_transcript("a", "hello")
    assert not made.items and "a" not in made


def test_items_of_a_response() -> None:
    made = conversation(item("a"), item("b"))
    output = Item(id="o", role="assistant", status="in_progress")
    assert made.begin_output(output, "a") == "a"
    assert made.begin_output(item("p"), "gone") == "b"
    assert made.begin_output(item("q"), None) == "p"
    made.finish_output(item("o", role="assistant"))
    assert [(one.id, one.text) for one in made.items] == [(id, id) for id in ("a", "o", "b", "p", "q")]
    made.delete("o")
    made.finish_output(item("o"))
    assert "o" not in made


def test_truncation() -> None:
    playout = PlayoutTimeline().begin_clause("one two").add_audio(1.0).end_clause()
    made = conversation(Item(id="a", role="assistant", parts=(Part("audio", "one two"),), playout=playout))
    assert made.truncate("a", 0.6) == 0.6 and made.get("a").text == "one"
    assert made.truncate("a", 9.0) == 1.0 and made.get("a").text == "one two"


def test_a_turn_comes_again_in_its_place() -> None:
    made = conversation(item("a"), item("b", parts=(Part("audio", "old"),)), item("c", role="assistant"))
    again = item("b", parts=(Part("audio", None, b"\0\0"),))
    assert made.return_turn(again) == "a"
    assert made.items == (item("a"), again, item("c", role="assistant"))
    assert made.return_turn(item("a")) is None
    assert made.is_answered("b") and not conversation(item("a"), item("b")).is_answered("a")
