"""The items of a conversation and what a language model is told of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation.errors import ItemExists, NoSuchItem
from speechmlx.conversation.items.history import History
from speechmlx.conversation.items.item import Item, Part, unanswered
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.conversation.llm.context import KEPT_TEXT, build_context
from speechmlx.errors import BadRequest
from speechmlx.types import FunctionCall, Message


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
    playout = PlayoutTimeline().clause("Hello my friend.").sent(1.6).closed()
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


def test_what_a_model_is_told() -> None:
    said = (
        item("a", "Be kind.", role="system"),
        item("b", "Hello"),
        Item(id="c", parts=(Part("audio", ""),)),
        Item(id="d", kind="call", role="assistant", call_id="1", name="f", arguments='{"x": 1}'),
        Item(id="e", kind="output", call_id="1", output="2"),
        Item(id="f", role="assistant", status="incomplete", parts=(Part("audio", ""),)),
        item("g", "Be brief.", role="system"),
    )
    assert build_context(said, "Speak.") == (
        Message("system", "Speak.\n\nBe kind.\n\nBe brief."),
        Message("user", "Hello"),
        Message("user", "(inaudible)"),
        Message("assistant", call=FunctionCall("f", '{"x": 1}', "1")),
        Message("tool", "2", "1"),
    )


def test_what_calls_returned_stands_behind_them() -> None:
    """B's before A's; C's after something was said; D's never; E's of a call that was never made."""

    def call(id: str) -> Item:
        return Item(id=f"call {id}", kind="call", role="assistant", call_id=id, name="f")

    def output(id: str) -> Item:
        return Item(id=f"output {id}", kind="output", call_id=id, output=id)

    said = (
        call("A"), call("B"), output("B"), output("A"), item("x", "1"),
        call("C"), item("y", "2"), output("C"), call("D"), output("E"), item("z", "3"),
    )  # fmt: skip
    roles = {"assistant": "call", "tool": "output", "user": ""}
    found = [
        f"{roles[message.role]} {message.call.id if message.call else message.content}".strip()
        for message in build_context(said, "")
    ]
    assert found == [
        "call A", "call B", "output A", "output B", "1", "call C", "output C", "2", "call D", "output E", "3",
    ]  # fmt: skip


def test_a_picture_is_told_of() -> None:
    picture = Part("image", image={"image_url": "x"})
    said = (Item(id="a", parts=(Part("text", "What is this?"), picture)), Item(id="b", parts=(picture,)))
    assert [message.content for message in build_context(said, "")] == [
        "What is this? (a picture that you cannot see)",
        "(a picture that you cannot see)",
    ]


def test_a_long_conversation_is_cut_at_its_beginning() -> None:
    long = tuple(item(str(number), f"{number} " + "x" * 1000) for number in range(50))
    told = build_context(long, "Speak.")
    assert told[0] == Message("system", "Speak.")
    assert sum(len(message.content) for message in told) <= KEPT_TEXT
    assert told[-1].content.startswith("49 ")
    assert len(build_context(long, "Speak.", forgets=False)) == 51
    assert build_context((item("a", "x" * 2 * KEPT_TEXT),), "")[0].content == "x" * 2 * KEPT_TEXT


def test_what_a_tool_returned_is_cut_before_the_question_is_left_out() -> None:
    old = tuple(item(str(number), "x" * 1000) for number in range(20))
    call = Item(id="c", kind="call", role="assistant", call_id="1", name="f", arguments="{}")
    output = Item(id="o", kind="output", call_id="1", output="y" * 3 * KEPT_TEXT)
    told = build_context((*old, item("q", "What is it?"), call, output), "Speak.")
    assert [message.role for message in told] == ["system", "user", "assistant", "tool"]
    assert told[1].content == "What is it?" and told[3].content.endswith("y (cut)")
    assert KEPT_TEXT - 100 < sum(len(message.content) for message in told) < KEPT_TEXT + 100
    both = build_context(
        (item("q", "?"), call, output, replace(call, id="d", call_id="2"), replace(output, call_id="2")), ""
    )
    assert [len(message.content) // 1000 for message in both if message.role == "tool"] == [7, 7]


def test_what_waits_for_an_answer() -> None:
    question, silent = item("q"), Item(id="s", parts=(Part("audio", ""),))
    heard, unheard = item("a", role="assistant"), item("b", "", role="assistant")
    call = Item(id="c", kind="call", role="assistant", call_id="1", name="f")
    output = Item(id="o", kind="output", call_id="1", output="2")
    assert unanswered([question, silent]) and unanswered([heard, question, unheard, silent])
    assert unanswered([question, call, output, silent])
    assert not unanswered([silent]) and not unanswered([question, heard, silent])
    assert not unanswered([question, call, silent])  # the client answers first


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
