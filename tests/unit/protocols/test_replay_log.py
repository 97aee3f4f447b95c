"""ReplayLog: numbers, going back, and what is forgotten."""

from __future__ import annotations

import random

from speechmlx.protocols.replay_log import OVERHEAD, ReplayLog
from speechmlx.protocols.ws import Answer, Close


def send(log: ReplayLog) -> list[object]:
    """Send all that waits."""
    sent: list[object] = []
    while (message := log.next()) is not None:
        sent.append(message)
        log.taken()
    return sent


def test_messages_are_sent_in_order_and_again_from_any_place() -> None:
    log = ReplayLog()
    assert [log.add(message) for message in ("a", b"b", "c")] == [1, 2, 3]
    assert log.unsent == 3 * OVERHEAD + 3
    assert send(log) == ["a", b"b", "c"] and log.unsent == 0
    log.add(Close(1000))
    assert log.back_to(1) and log.unsent == 3 * OVERHEAD + 2
    assert send(log) == [b"b", "c", Close(1000)]
    assert log.back_to(0) and send(log)[0] == "a"
    assert log.back_to(4) and send(log) == []


def test_nobody_has_what_was_never_sent() -> None:
    log = ReplayLog()
    log.add("a")
    log.add("b")
    assert not log.back_to(1)
    log.next()  # a connection began to send it: it may have come
    assert log.back_to(1)
    assert not log.back_to(2) and not log.back_to(-1)
    assert log.number_of(lambda message: message == "b") is None


def test_the_oldest_are_forgotten_but_not_what_was_not_sent() -> None:
    log = ReplayLog(max_sent=10 * OVERHEAD)
    for _ in range(100):
        log.add("x")
    assert log.size > 90 * OVERHEAD
    assert len(send(log)) == 100
    assert log.size <= 10 * OVERHEAD
    assert not log.back_to(90)
    assert log.back_to(95) and len(send(log)) == 5
    assert log.number_of(lambda message: message == "x") == 100


def size(messages: list[Answer]) -> int:
    return sum(OVERHEAD + (0 if isinstance(message, Close) else len(message)) for message in messages)


def test_sizes_are_right_whatever_happens() -> None:
    chance, log, total = random.Random(5), ReplayLog(max_sent=20 * OVERHEAD), 0
    for _ in range(3000):
        match chance.randrange(4):
            case 0 | 1:
                log.add("x" * chance.randrange(500))
                total += 1
            case 2:
                if log.next() is not None:
                    log.taken()
            case 3:
                log.back_to(max(0, log.sent - chance.randrange(3)))
        assert log.last == total
        kept = list(log._messages)
        assert log.size == size(kept)
        waiting = kept[len(kept) - (log.last - log.sent) :]
        assert log.unsent == size(waiting)


def test_it_goes_on_where_another_log_was() -> None:
    log = ReplayLog(sent=9, tail=("eight", "nine"))
    assert (log.last, log.unsent, log.next()) == (9, 0, None)
    assert log.size == size(["eight", "nine"]) and list(log.kept) == ["eight", "nine"]
    log.add("ten")
    assert send(log) == ["ten"]
    assert log.back_to(7) and send(log) == ["eight", "nine", "ten"]
    assert not log.back_to(6) and not log.back_to(11)
    assert log.number_of(lambda message: message == "nine") == 9


def test_a_client_may_have_more_than_another_log_knew() -> None:
    log = ReplayLog(sent=9, tail=("nine",))
    log.skip_to(12)
    assert (log.last, log.size, log.next()) == (12, 0, None)
    assert log.add("thirteen") == 13 and send(log) == ["thirteen"]
    assert not log.back_to(11)
