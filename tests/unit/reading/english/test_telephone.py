"""Telephone numbers of many countries, and other digits in groups."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("(415) 555-2671", "four one five five five five two six seven one"),
    ("415.555.2671 (call)", "four one five five five five two six seven one call"),
    ("Call 415.555.2671", "call four one five five five five two six seven one"),
    ("1-800-555-0199", "one eight hundred five five five zero one nine nine"),
    ("1-800-FLOWERS", "one eight hundred flowers"),
    ("555-1234", "five five five one two three four"),
    ("+1 415 555 2671 ext. 12", "plus one four one five five five five two six seven one extension one two"),
    ("020 7946 0958", "zero two zero seven nine four six zero nine five eight"),
    ("+49 (0)30 123456", "plus four nine zero three zero one two three four five six"),
    ("01 23 45 67 89", "zero one two three four five six seven eight nine"),
    ("0412 345 678", "zero four one two three four five six seven eight"),
    ("98765 43210", "nine eight seven six five four three two one zero"),
    ("135-4567-8900", "one three five four five six seven eight nine zero zero"),
    ("03-1234-5678", "zero three one two three four five six seven eight"),
    ("(11) 91234-5678", "one one nine one two three four five six seven eight"),
    ("1300 123 456", "one three zero zero one two three four five six"),
    ("+91 98765-43210", "plus nine one nine eight seven six five four three two one zero"),
    ("call 911", "call nine one one"),
    ("dial 999", "dial nine nine nine"),
    ("4111 1111 1111 1111", "four one one one one one one one one one one one one one one one"),
    ("123-45-6789", "one two three four five six seven eight nine"),
    ("zip 90210-1234", "zip nine zero two one zero one two three four"),
    ("192.168.1.1", "one nine two dot one six eight dot one dot one"),
    ("10.0.0.0/8", "ten dot zero dot zero dot zero slash eight"),
    ("127.0.0.1:8080", "one two seven dot zero dot zero dot one port eighty eighty"),
    ("ISBN 978-0-13-468599-1", "i s b n nine seven eight zero one three four six eight five nine nine one"),
    ("00:1A:2B:3C:4D:5E", "zero zero one a two b three c four d five e"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_telephone(text: str, reading: str) -> None:
    assert said(words(text)) == reading
