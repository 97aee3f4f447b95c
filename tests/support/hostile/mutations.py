"""Damage to bytes and to JSON."""

from __future__ import annotations

import copy
import json
import random
import struct
from typing import Any

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF)
NUMBERS = (0, 1, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1e308, -1e-308, 10**30, 1 << 63, 0.1, "", " ", "\0", "\ud800", "\u202e", "x" * 5000,
    "../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/", "%00", "<|im_end|>", "{{7*7}}", "nan", "Infinity",
    [], [[]], [None] * 50, {}, {"type": "x"}, {"": ""}, {"__proto__": 1}, {"a": {"a": {"a": {}}}},
)  # fmt: skip
JUNK = (b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 200, b'{"a":' * 200, b"9" * 5000, b"NaN", b"-", b'"\\ud800"')


def mutate(data: bytes, draw: random.Random, other: bytes = b"") -> bytes:
    """`data` with one to six kinds of damage; a part of `other` may be spliced in."""
    found = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at, size = draw.randrange(len(found) + 1), draw.choice((1, 2, 4, 8, 64))
        match draw.randrange(8):
            case 0 if at < len(found):
                found[at] ^= 1 << draw.randrange(8)
            case 1:
                found[at : at + size] = bytes([draw.choice(EXTREMES)]) * size
            case 2:
                found[at : at + 4] = struct.pack(draw.choice("<>") + "Q", draw.choice(NUMBERS))[-4:]
            case 3:
                del found[at : at + draw.randint(1, max(1, len(found) // 3))]
            case 4:
                found[at:at] = found[at : at + size] * draw.choice((1, 2, 50))
            case 5:
                del found[at:]
            case 6 if other:
                start = draw.randrange(len(other))
                found[at:at] = other[start : start + draw.randint(1, 2000)]
            case _:
                found[at : at + size] = draw.randbytes(size)
    return bytes(found)


def mutate_json(value: Any, draw: random.Random) -> Any:
    """A copy of `value` with a few of its parts exchanged, added or gone."""
    found = copy.deepcopy(value)
    for _ in range(draw.randint(1, 3)):
        place, key = _place(found, draw)
        if place is None:
            return _value(draw)
        match draw.randrange(5):
            case 0:
                del place[key]
            case 1 if isinstance(place, dict):
                place[draw.choice(("", "type", "model", "x" * 300, str(key).upper()))] = copy.deepcopy(
                    draw.choice(VALUES)
                )
            case 2:
                place[key] = [copy.deepcopy(place[key]) for _ in range(draw.choice((0, 2, 30)))]
            case _:
                place[key] = _value(draw)
    return found


def _value(draw: random.Random) -> Any:
    return copy.deepcopy(draw.choice(VALUES))


def _place(value: Any, draw: random.Random) -> tuple[Any, Any]:
    """A list or object in `value` and one of its keys; (None, None) where there is none."""
    place, key, inner = None, None, value
    while isinstance(inner, dict | list) and inner:
        place = inner
        key = draw.choice(list(inner)) if isinstance(inner, dict) else draw.randrange(len(inner))
        inner = inner[key]
        if draw.random() < 0.4:
            break
    return place, key


def written(value: Any, draw: random.Random) -> bytes:
    """JSON of `value`, mostly; now and then in another encoding, damaged, or with a key twice."""
    text = json.dumps(value)
    match draw.randrange(10):
        case 0:
            return mutate(text.encode(), draw)
        case 1:
            return text.encode(draw.choice(("utf-16", "utf-32", "utf-8-sig")))
        case 2 if text.startswith("{") and len(text) > 2:
            return (text[:-1] + ", " + text[1:]).encode()
        case 3:
            at = draw.randrange(len(text) + 1)
            return text[:at].encode() + draw.choice(JUNK) + text[at:].encode()
        case _:
            return text.encode()
