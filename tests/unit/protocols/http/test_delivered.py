"""What pongs say of the messages that were sent."""

from __future__ import annotations

from speechmlx.protocols.http.delivered import KEY, Delivered, confirmed


def test_a_pong_confirms_what_was_sent_before_its_ping() -> None:
    delivered = Delivered()
    assert not delivered.unknown
    delivered.sent = 3
    assert delivered.unknown
    ping = delivered.ping()
    delivered.sent = 5
    assert not delivered.unknown  # one is under way
    delivered.pong(ping)
    assert (delivered.confirmed, delivered.unknown) == (3, True)
    delivered.pong(delivered.ping())
    assert (delivered.confirmed, delivered.unknown) == (5, False)


def test_pongs_that_nobody_asked_for_say_nothing() -> None:
    delivered = Delivered()
    delivered.sent = 3
    delivered.pong(b"3")
    first = delivered.ping()
    delivered.pong(b"99")
    delivered.pong(b"")
    delivered.sent = 4
    delivered.ping()
    delivered.pong(first)  # an old one, too late
    assert delivered.confirmed == 0


def test_a_server_that_does_not_count_tells_nothing() -> None:
    assert confirmed({"type": "websocket"}) is None
    assert confirmed({"type": "websocket", KEY: Delivered()}) == 0
