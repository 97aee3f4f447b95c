"""The record of a safe point, and which messages of a client are done."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from speechmlx.audio.live_format import AudioFormat
from speechmlx.protocols import safe_point
from speechmlx.protocols.safe_point import MAX_TAIL, ClientMessages, SafePoint, tail_of
from speechmlx.protocols.ws import Close

POINT = SafePoint(
    query="language=en",
    opening={"first_message": "{}"},
    received=7,
    skip=12,
    at=1.25,
    items=("item_1",),
    sent=9,
    confirmed=4,
    tail=("eight", "nine"),
    state={"window": 1.25, "words": ["ß", None]},
)
PCM = AudioFormat("pcm16", 1000)
"""2000 bytes a second."""


def test_a_record_is_read_as_it_was_written() -> None:
    assert SafePoint.load(POINT.dump()) == POINT


def resealed(body: bytes) -> bytes:
    return safe_point._digest(body) + b"\n" + body


def test_a_record_that_is_damaged_or_anothers_is_refused() -> None:
    whole = POINT.dump()
    for place in range(0, len(whole), 7):
        with pytest.raises(ValueError, match="damaged"):
            SafePoint.load(whole[:place])
        with pytest.raises(ValueError, match="damaged"):
            SafePoint.load(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    body = json.loads(whole.partition(b"\n")[2])
    for other in ({**body, "version": "0"}, {**body, "more": 1}, {k: v for k, v in body.items() if k != "at"}):
        with pytest.raises(ValueError, match="another version"):
            SafePoint.load(resealed(json.dumps(other).encode()))


def test_a_tail_is_bounded_and_all_text() -> None:
    assert tail_of(["a", b"\0", "b", "c"]) == ("b", "c")
    assert tail_of(["a", Close()]) == ()
    assert len(tail_of(["x" * 1024] * 1000)) == MAX_TAIL // 1024
    assert tail_of(["x" * (MAX_TAIL + 1)]) == ()


def test_messages_are_done_with_their_audio_and_the_rest_is_skipped() -> None:
    messages = ClientMessages(PCM)
    for _ in range(3):
        messages.add(200, False)  # 0.1 s
    assert messages.point(0.0) == (0, 0, 0.0)
    assert messages.point(0.1) == (1, 0, 0.1)
    assert messages.point(0.25) == (2, 100, 0.25)
    assert messages.point(0.2) == (2, 100, 0.25), "never before"
    assert messages.point(9.0) == (3, 0, 0.3), "no more than came"


def test_other_commands_are_done_when_they_are_carried_out() -> None:
    messages = ClientMessages(PCM)
    messages.add(200, False)
    messages.add(0, True)
    messages.add(200, False)
    assert messages.point(0.1) == (1, 0, 0.1)
    assert messages.point(0.15) == (1, 100, 0.15)
    messages.carried_out(2)
    assert messages.point(0.15) == (2, 100, 0.15)
    messages.carried_out(1)
    assert messages.point(0.2) == (3, 0, 0.2)


def test_bytes_without_a_command_are_done_with_the_audio_that_they_begin() -> None:
    messages = ClientMessages(PCM)
    messages.add(0, False)  # the wire does not know yet what it is
    messages.add(400, False)
    assert messages.point(0.1) == (0, 200, 0.1)
    assert messages.point(0.2) == (2, 0, 0.2)


def test_samples_are_not_cut() -> None:
    messages = ClientMessages(PCM)
    messages.add(3, False)
    messages.add(3, False)
    assert messages.point(0.002) == (1, 1, 0.002)


def test_it_goes_on_in_the_middle_of_a_message() -> None:
    """The client sends it again, whole."""
    messages = ClientMessages(PCM, received=5, at=2.0, skip=100)
    assert messages.point(2.0) == (5, 100, 2.0)
    messages.add(200, False)
    assert messages.point(2.0) == (5, 100, 2.0)
    assert messages.point(2.05) == (6, 0, 2.05)


def test_another_format_begins_where_all_audio_is_done() -> None:
    messages = ClientMessages(PCM)
    messages.add(200, False)
    fast = replace(PCM, rate=2000)
    assert not messages.change_format(fast)
    messages.point(0.1)
    assert not messages.change_format(AudioFormat("container", 16000))
    assert messages.change_format(fast)
    messages.add(400, False)
    assert messages.point(0.2) == (2, 0, 0.2)


def test_memory_is_bounded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes: the audio that is sent again, without what is skipped, begins at the safe point."""
    monkeypatch.setattr(safe_point, "MAX_ENTRIES", 16)
    chance, messages = random.Random(7), ClientMessages(PCM)
    sizes, at = [0], 0.0
    for number in range(1, 3000):
        size = chance.choice((0, 2, 30, 200))
        sizes.append(size)
        messages.add(size, size == 0 and chance.random() < 0.5)
        if chance.random() < 0.3:
            messages.carried_out(number)
        if chance.random() < 0.1:
            at = min(at + chance.random(), sum(sizes) / 2000)
            received, skip, done = messages.point(at)
            assert sum(sizes[: received + 1]) + skip == round(done * 2000)
        assert len(messages._entries) <= 16
