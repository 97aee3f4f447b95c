"""The messages of a conversation that a language model gets."""

from __future__ import annotations

from dataclasses import replace

from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.llm.context import INAUDIBLE, KEPT_TEXT, build_context
from speechmlx.types import FunctionCall, Message


def item(id: str, text: str = "words", **fields: object) -> Item:
    return replace(Item(id=id, parts=(Part("text", text),)), **fields)  # type: ignore[arg-type]


def test_messages() -> None:
    items = (
        item("a", "Be kind.", role="system"),
        item("b", "Hello"),
        Item(id="c", parts=(Part("audio", ""),)),
        Item(id="d", kind="call", role="assistant", call_id="1", name="f", arguments='{"x": 1}'),
        Item(id="e", kind="output", call_id="1", output="2"),
        Item(id="f", role="assistant", status="incomplete", parts=(Part("audio", ""),)),
        item("g", "Be brief.", role="system"),
    )
    assert build_context(items, "Speak.") == (
        Message("system", "Speak.\n\nBe kind.\n\nBe brief."),
        Message("user", "Hello"),
        Message("user", "(inaudible)"),
        Message("assistant", call=FunctionCall("f", '{"x": 1}', "1")),
        Message("tool", "2", "1"),
    )


def test_outputs_come_after_their_calls() -> None:
    """B's output before A's; C's after a message; none for D; E's of a call that is not there."""

    def call(id: str) -> Item:
        return Item(id=f"call {id}", kind="call", role="assistant", call_id=id, name="f")

    def output(id: str) -> Item:
        return Item(id=f"output {id}", kind="output", call_id=id, output=id)

    items = (
        call("A"), call("B"), output("B"), output("A"), item("x", "1"),
        call("C"), item("y", "2"), output("C"), call("D"), output("E"), item("z", "3"),
    )  # fmt: skip
    roles = {"assistant": "call", "tool": "output", "user": ""}
    labels = [
        f"{roles[message.role]} {message.call.id if message.call else message.content}".strip()
        for message in build_context(items, "")
    ]
    assert labels == [
        "call A", "call B", "output A", "output B", "1", "call C", "output C", "2", "call D", "output E", "3",
    ]  # fmt: skip


def test_a_picture_is_named() -> None:
    picture = Part("image", image={"image_url": "x"})
    items = (Item(id="a", parts=(Part("text", "What is this?"), picture)), Item(id="b", parts=(picture,)))
    assert [message.content for message in build_context(items, "")] == [
        "What is this? (a picture that you cannot see)",
        "(a picture that you cannot see)",
    ]


def test_a_long_conversation_is_cut_at_its_beginning() -> None:
    long = tuple(item(str(number), f"{number} " + "x" * 1000) for number in range(50))
    context = build_context(long, "Speak.")
    assert context[0] == Message("system", "Speak.")
    assert sum(len(message.content) for message in context) <= KEPT_TEXT
    assert context[-1].content.startswith("49 ")
    assert len(build_context(long, "Speak.", forgets=False)) == 51
    assert build_context((item("a", "x" * 2 * KEPT_TEXT),), "")[0].content == "x" * 2 * KEPT_TEXT


def test_outputs_are_shortened_and_the_question_stays() -> None:
    old = tuple(item(str(number), "x" * 1000) for number in range(20))
    call = Item(id="c", kind="call", role="assistant", call_id="1", name="f", arguments="{}")
    output = Item(id="o", kind="output", call_id="1", output="y" * 3 * KEPT_TEXT)
    context = build_context((*old, item("q", "What is it?"), call, output), "Speak.")
    assert [message.role for message in context] == ["system", "user", "assistant", "tool"]
    assert context[1].content == "What is it?" and context[3].content.endswith("y (cut)")
    assert KEPT_TEXT - 100 < sum(len(message.content) for message in context) < KEPT_TEXT + 100
    both = build_context(
        (item("q", "?"), call, output, replace(call, id="d", call_id="2"), replace(output, call_id="2")), ""
    )
    assert [len(message.content) // 1000 for message in both if message.role == "tool"] == [7, 7]


def test_an_output_whose_call_was_dropped_is_dropped() -> None:
    call = Item(id="c", kind="call", role="assistant", call_id="1", name="f", arguments="x" * 100)
    output = Item(id="o", kind="output", call_id="1", output="short")
    newer = tuple(item(str(number), "y" * (KEPT_TEXT // 2 - 50)) for number in range(2))
    context = build_context((item("old"), call, output, *newer), "")
    assert [message.role for message in context] == ["user", "user"]


def test_a_turn_without_words_counts_only_for_a_person() -> None:
    silent = Item(id="s", parts=(Part("audio", ""),))
    items = (silent, replace(silent, id="a", role="assistant"), replace(silent, id="b", role="system"))
    assert build_context(items, "") == (Message("user", INAUDIBLE),)
