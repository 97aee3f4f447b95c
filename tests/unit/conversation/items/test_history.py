"""The items of a conversation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.errors import ConversationFull, ItemExists, NoSuchItem
from speechmlx.conversation.items import history as history_module
from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.item import Item, Part, awaits_answer
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.errors import BadRequest


def item(id: str, text: str = "words", **fields: object) -> Item:
    return replace(Item(id=id, parts=(Part("text", text),)), **fields)  # type: ignore[arg-type]


def ids(history: History) -> list[str]:
    return [one.id for one in history]


def test_places() -> None:
    history = History()
    assert history.add(item("b")) is None
    assert history.add(item("a"), "root") is None
    assert history.add(item("d")) == "b"
    assert history.add(item("c"), "b") == "b"
    assert ids(history) == ["a", "b", "c", "d"]
    with pytest.raises(ItemExists, match="'a' already exists"):
        history.add(item("a"))
    with pytest.raises(NoSuchItem, match="no item 'x'"):
        history.add(item("e"), "x")
    assert ids(history) == ["a", "b", "c", "d"]


def test_truncate() -> None:
    history = History()
    playout = PlayoutTimeline().begin_clause("Hello my friend.").add_audio(1.6).end_clause()
    said = Part("audio", "Hello my friend.", seconds=1.6)
    history.add(Item(id="a", role="assistant", parts=(said,), playout=playout))
    history.add(item("b"))
    cut, at = history.truncate("a", 0.9)
    assert (cut.text, at) == ("Hello my", 0.9)
    cut, at = history.truncate("a", 5.0)  # the client knows better than an earlier guess
    assert (cut.text, at) == ("Hello my friend.", 1.6)
    with pytest.raises(BadRequest, match="only spoken answers"):
        history.truncate("b", 0.0)


def test_old_audio_is_let_go() -> None:
    history = History()
    for number in range(5):
        history.add(Item(id=str(number), parts=(Part("audio", "x", b"..", seconds=100.0),)))
    assert [bool(one.parts[0].pcm16) for one in history] == [False, False, True, True, True]
    assert [one.text for one in history] == ["x"] * 5


def test_what_waits_for_an_answer() -> None:
    question, silent = item("q"), Item(id="s", parts=(Part("audio", ""),))
    heard, unheard = item("a", role="assistant"), item("b", "", role="assistant")
    call = Item(id="c", kind="call", role="assistant", call_id="1", name="f")
    output = Item(id="o", kind="output", call_id="1", output="2")
    assert awaits_answer([question, silent]) and awaits_answer([heard, question, unheard, silent])
    assert awaits_answer([question, call, output, silent])
    assert not awaits_answer([silent]) and not awaits_answer([question, heard, silent])
    assert not awaits_answer([question, call, silent])  # the client answers first


Action = st.tuples(st.sampled_from(["add", "delete", "after"]), st.integers(0, 8), st.integers(0, 8))


@given(st.lists(Action, max_size=40))
def test_order_like_a_list(actions: list[tuple[str, int, int]]) -> None:
    history, model = History(), list[str]()
    for what, one, other in actions:
        id, after = str(one), str(other)
        if what == "delete":
            if id in model:
                history.delete(id)
                model.remove(id)
        elif id not in model and (what == "add" or after in model):
            before = history.add(item(id), after if what == "after" else None)
            model.insert(model.index(after) + 1 if what == "after" else len(model), id)
            place = model.index(id)
            assert before == (model[place - 1] if place else None)
        assert ids(history) == model


def test_a_conversation_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MAX_TEXT", 100)
    history = History()
    history.add(item("a", "x" * 60))
    for too_long in (item("b", "x" * 41), Item(id="b", kind="call", arguments="x" * 41)):
        with pytest.raises(ConversationFull, match="at most 4096 items"):
            history.add(too_long)
    history.add(item("b", "x" * 40))
    history.replace(item("b", "x" * 10))
    history.add(item("c", "x" * 30))
    history.delete("a")
    history.add(item("d", "x" * 60))
    history.make_room()  # the oldest go until a turn and its answer fit
    assert ids(history) == ["c", "d"]
    monkeypatch.setattr(history_module, "MAX_ITEMS", 66)
    for number in range(10):
        history.make_room()
        history.add(item(f"turn {number}", ""))
    assert ids(history) == ["turn 7", "turn 8", "turn 9"]


def test_the_number_of_items_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MAX_ITEMS", 2)
    history = History()
    history.add(item("a"))
    history.add(item("b"))
    with pytest.raises(ConversationFull, match="at most 2 items"):
        history.add(item("c"))
