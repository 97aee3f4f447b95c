"""Letters and digits in one token, versions, grades."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("H.264", "h two six four"),
    ("A4", "a four"),
    ("MP3", "m p three"),
    ("iPhone 15 Pro", "i phone fifteen pro"),
    ("USB-C", "u s b c"),
    ("R&D", "r and d"),
    ("AT&T's", "a t and t's"),
    ("M&Ms", "m and ms"),
    ("Q&A", "q and a"),
    ("COVID-19", "covid nineteen"),
    ("F-16", "f sixteen"),
    ("A320", "a three twenty"),
    ("i7-12700K", "i seven one two seven zero zero k"),
    ("WD-40", "w d forty"),
    ("B12", "b twelve"),
    ("401(k)", "four oh one k"),
    ("T-shirt", "t shirt"),
    ("C-3PO", "c three p o"),
    ("BA2490", "b a two four nine zero"),
    ("I-95", "i ninety five"),
    ("SW1A 1AA", "s w one a one a a"),
    ("4K", "four k"),
    ("1080p", "ten eighty p"),
    ("3D", "three d"),
    ("v2.0.1", "version two point zero point one"),
    ("1.0.0-beta.2", "one point zero point zero beta two"),
    ("Python 3.11", "python three point eleven"),
    ("iOS 17.2", "i o s seventeen point two"),
    ("version 1.2", "version one point two"),
    ("A+", "a plus"),
    ("a B-", "a b minus"),
    ("C++", "c plus plus"),
    ("Google+", "google plus"),
    ("20th-century", "twentieth century"),
    ("mid-30s", "mid thirties"),
    ("Boeing 747-400", "boeing seven forty seven four hundred"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_products(text: str, reading: str) -> None:
    assert said(words(text)) == reading
