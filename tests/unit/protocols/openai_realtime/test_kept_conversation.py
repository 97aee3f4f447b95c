"""What is kept of a conversation for another server, as tables of events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from speechmlx.conversation import events as say
from speechmlx.conversation.conversation_start import ConversationStart
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item, Part
from speechmlx.conversation.items.playout import PlayoutTimeline
from speechmlx.conversation.settings import Answering
from speechmlx.errors import EngineFailed
from speechmlx.protocols.openai_realtime.kept_conversation import MAX_COUNT, MAX_ITEMS, KeptConversation, shortened
from speechmlx.protocols.safe_point import SafePoint

SPOKEN, WRITTEN = Answering(), Answering(spoken=False)
TURN = Item(id="turn", parts=(Part("audio", None, b"\0\0" * 240, seconds=0.01),))
ASKED = (say.Committed("turn", None), say.ItemAdded(TURN, None))
BARE = Item(id="turn", parts=(Part("audio", None, seconds=0.01),))
OPEN = Item(id="answer", role="assistant", status="in_progress")
CLOSED = replace(OPEN, status="completed", parts=(Part("text", "yes"),))
CALL = Item(id="call", kind="call", role="assistant", status="in_progress", name="look", call_id="c1")


def text(id: str, words: str = "hello") -> Item:
    return Item(id=id, parts=(Part("text", words),))


def begun(answering: Answering = WRITTEN, out_of_band: bool = False) -> say.ResponseStarted:
    return say.ResponseStarted(
        say.Response(id="resp", answering=answering, out_of_band=out_of_band, metadata={"a": "b"})
    )


def opened(item: Item = OPEN, spoken: bool = False, out_of_band: bool = False) -> say.OutputStarted:
    return say.OutputStarted("resp", item, 0, None if out_of_band else "turn", out_of_band, spoken)


def after(*told: say.Event) -> KeptConversation:
    kept = KeptConversation()
    for event in told:
        kept.take(event)
    return kept


def again(kept: KeptConversation) -> KeptConversation:
    """As another server reads it."""
    return KeptConversation.of(json.loads(json.dumps(kept.state())))


def start(*told: say.Event, look: Sequence[Item] = (), returning: Sequence[str] = ()) -> ConversationStart:
    kept = after(*told)
    kept.look = lambda: look
    return again(kept).start(WRITTEN, returning)


@pytest.mark.parametrize(
    ("told", "items"),
    [
        ((say.ItemAdded(text("a"), None), say.ItemAdded(text("b"), None)), [text("b"), text("a")]),
        ((say.ItemAdded(text("a"), None), say.ItemAdded(text("b"), "a"), say.ItemDeleted("a")), [text("b")]),
        ((say.ItemAdded(text("a"), None), say.ItemAdded(text("b"), "forgotten")), [text("a"), text("b")]),
        (ASKED, [BARE]),
        ((*ASKED, *ASKED), [BARE]),
        ((*ASKED, begun(), opened(), say.OutputDone("resp", CLOSED, 0, "turn", False, False)), [BARE, CLOSED]),
        ((*ASKED, begun(out_of_band=True), opened(out_of_band=True)), [BARE]),
    ],
)
def test_the_items_are_those_that_were_told_in_their_order(told: Sequence[say.Event], items: list[Item]) -> None:
    assert start(*told).items == tuple(items)


def test_the_words_of_an_item_are_those_of_the_session() -> None:
    heard = replace(TURN, parts=(replace(TURN.parts[0], text="one two"),))
    assert start(*ASKED, look=[text("untold"), heard]).items[0].text == "one two"


@pytest.mark.parametrize(
    ("event", "good"),
    [
        (ASKED[1], False),
        (say.ItemAdded(text("other"), None), True),
        (say.ItemDeleted("turn"), True),
        (say.ItemTruncated("answer", 1.0), True),
        (begun(), True),
        (opened(), True),
        (say.OutputText("resp", "answer", 0, "yes", False), False),
        (say.OutputAudio("resp", "answer", 0, b"\0\0"), False),
        (say.OutputDone("resp", CLOSED, 0, "turn", False, False), True),
        (say.ResponseDone(begun().response), True),
        (say.SpeechStopped("turn", 1.0), False),
        (say.Cleared(), False),
    ],
)
def test_what_is_told_for_good(event: say.Event, good: bool) -> None:
    assert after(ASKED[0]).take(event) == good


def test_a_response_under_way_has_failed_with_what_was_told() -> None:
    told = (*ASKED, begun(), opened(), say.OutputText("resp", "answer", 0, "It is", False))
    cut = replace(OPEN, status="incomplete", parts=(Part("text", "It is"),))
    found = start(*told)
    done, ended = found.ends
    assert done == say.OutputDone("resp", cut, 0, "turn", False, False)
    assert isinstance(ended, say.ResponseDone)
    response = ended.response
    assert (response.id, response.status, response.items, response.metadata) == ("resp", "failed", (cut,), {"a": "b"})
    assert response.error is not None and response.error.code == "engine_lost"
    assert found.items == (BARE, cut) and found.unanswered is None
    followed = after(*told, *found.ends)
    assert again(followed).start(WRITTEN, ()).ends == (), "and once only"


def test_of_a_spoken_answer_is_kept_what_was_sent() -> None:
    words = "One two three four five six seven eight nine ten."
    audio = say.OutputAudio("resp", "answer", 0, bytes(48000))
    found = start(*ASKED, begun(SPOKEN), opened(spoken=True), say.OutputText("resp", "answer", 0, words, True), audio)
    assert isinstance(found.ends[0], say.OutputDone) and found.ends[0].item.text == words
    assert 0 < len(found.items[1].text) < len(words) and words.startswith(found.items[1].text)
    assert found.items[1].playout == PlayoutTimeline().begin_clause(words).add_audio(1.0)


def test_an_answer_that_the_session_has_whole_is_whole() -> None:
    found = start(*ASKED, begun(), opened(), look=[CLOSED])
    assert found.items == (BARE, CLOSED)
    assert found.ends[0] == say.OutputDone("resp", CLOSED, 0, "turn", False, False)


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_call_is_whole_or_not_in_the_history(is_whole: bool) -> None:
    whole = replace(CALL, status="completed", arguments="{}")
    found = start(*ASKED, begun(), opened(CALL), look=[whole] if is_whole else [])
    cut = replace(CALL, status="incomplete")
    assert found.ends[0] == say.OutputDone("resp", whole if is_whole else cut, 0, "turn", False, False)
    assert found.items == ((BARE, whole) if is_whole else (BARE,))


@pytest.mark.parametrize(
    ("told", "returning", "unanswered"),
    [
        ((*ASKED, begun()), (), "turn"),
        ((*ASKED, begun()), ("turn",), None),
        (ASKED, (), None),
        ((*ASKED, begun(out_of_band=True)), (), None),
        ((*ASKED, begun(), opened()), (), None),
        ((*ASKED, begun(), say.ResponseDone(begun().response)), (), None),
        ((say.ItemAdded(text("a"), None), begun()), (), None),
    ],
)
def test_which_turn_is_answered_anew(told: Sequence[say.Event], returning: tuple[str, ...], unanswered: Any) -> None:
    assert start(*told, returning=returning).unanswered == unanswered


@pytest.mark.parametrize(
    ("told", "failed"),
    [
        ((), ["sent"]),
        ((say.TranscriptDone("sent", Transcript("hello"), 1.0),), []),
        ((say.TranscriptFailed("sent", EngineFailed("no")),), []),
        ((say.ItemDeleted("sent"),), []),
    ],
)
def test_a_recording_that_was_being_recognised_has_failed(told: Sequence[say.Event], failed: list[str]) -> None:
    sent = Item(id="sent", parts=(Part("text", "hear"), Part("audio", None, bytes(2))))
    ends = start(say.ItemAdded(sent, None), *told).ends
    assert [(end.item, end.part) for end in ends if isinstance(end, say.TranscriptFailed)] == [(id, 1) for id in failed]


@pytest.mark.parametrize(("words", "count"), [('"' * 100_000, 20), ("ß" * 30_000, 20), ("", 2 * MAX_COUNT)])
def test_the_newest_items_are_kept_in_bounded_room(words: str, count: int) -> None:
    kept = after(*(say.ItemAdded(text(str(n), words), str(n - 1) if n else None) for n in range(count)))
    state = kept.state()
    assert len(json.dumps(state["items"])) <= MAX_ITEMS
    point = SafePoint(query="", received=0, at=0.0, sent=0, state=state, done=3)
    assert SafePoint.load(point.dump()) == point
    found = again(kept).start(WRITTEN, ()).items
    assert [item.id for item in found] == [str(n) for n in range(count - len(found), count)]
    assert len(kept._items) <= MAX_COUNT


def test_an_audio_delta_is_shortened_and_nothing_else() -> None:
    delta = {"type": "response.output_audio.delta", "event_id": "event_1", "response_id": "r", "delta": "AAAA"}
    assert json.loads(shortened(json.dumps(delta))) == {**delta, "delta": ""}
    other = json.dumps({**delta, "type": "response.output_audio_transcript.delta"})
    assert shortened(other) == other
