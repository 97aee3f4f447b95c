"""Numerals in Han characters, and Japanese counters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.languages.counters import counted
from speechmlx.reading.languages.east_asian import numeral

VALUES = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10**4, "亿": 10**8, "兆": 10**12}


@pytest.mark.parametrize(
    ("value", "chinese", "japanese"),
    [
        (0, "零", "零"),
        (10, "十", "十"),
        (15, "十五", "十五"),
        (101, "一百零一", "百一"),
        (110, "一百一十", "百十"),
        (1010, "一千零一十", "千十"),
        (10_010, "一万零一十", "一万十"),
        (100_000, "十万", "十万"),
        (100_001, "十万零一", "十万一"),
        (110_000, "十一万", "十一万"),
        (1_000_000_010, "十亿零一十", "十亿十"),
        (100_050_000, "一亿零五万", "一亿五万"),
    ],
)
def test_numerals(value: int, chinese: str, japanese: str) -> None:
    assert numeral(value) == chinese
    assert numeral(value, one="", zero="") == japanese


def value_of(text: str) -> int:
    """The number that a numeral means."""
    total = section = digit = 0
    for c in text:
        if c in MYRIADS:
            total, section, digit = total + (section + digit) * MYRIADS[c], 0, 0
        elif VALUES[c] >= 10:
            section, digit = section + (digit or 1) * VALUES[c], 0
        else:
            digit = VALUES[c]
    return total + section + digit


@given(st.integers(0, 10**16 - 1))
def test_a_numeral_means_its_number(value: int) -> None:
    assert value_of(numeral(value)) == value
    assert value_of(numeral(value, one="", zero="")) == value


@pytest.mark.parametrize(
    ("value", "counter", "said"),
    [
        (1, "本", "イッポン"), (3, "本", "サンボン"), (6, "本", "ロッポン"), (8, "本", "ハッポン"),
        (10, "本", "ジュッポン"), (2, "本", "ニホン"), (100, "本", "ヒャッポン"), (300, "本", "サンビャッポン"),
        (13, "本", "十サンボン"), (3, "分", "サンプン"), (4, "分", "ヨンプン"), (30, "分", "サンジュップン"),
        (45, "分", "四十ゴフン"), (3, "階", "サンガイ"), (1, "階", "イッカイ"), (3, "回", "サンカイ"),
        (8, "歳", "ハッサイ"), (20, "歳", "ハタチ"), (1, "人", "ヒトリ"), (2, "人", "フタリ"),
        (4, "人", "ヨニン"), (14, "人", "十ヨニン"), (3, "人", None), (4, "時", "ヨジ"), (7, "時", "シチジ"),
        (9, "時間", "クジカン"), (8, "時", None), (4, "円", "ヨエン"), (5, "円", None),
        (2024, "年", "二千二十ヨネン"), (9, "つ", "ココノツ"), (10, "パーセント", "ジュッパーセント"),
        (6, "キロ", "ロッキロ"), (1000, "本", None), (5, "台", None),
    ],
)  # fmt: skip
def test_counters(value: int, counter: str, said: str | None) -> None:
    assert counted(value, counter) == said
