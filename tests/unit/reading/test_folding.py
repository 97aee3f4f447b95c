"""Unicode folded: what means the same becomes the same, what means something stays, places stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_text import LONGEST, PARTS, seconds

from speechmlx.reading.folding import fold
from speechmlx.reading.mapped import MappedText


def folded(text: str, language: str = "en") -> str:
    return fold(MappedText.of(text), language).text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＨＥＬＬＯ，Ｗ，１０：３０", "HELLO, W, 10:30"),
        ("𝐁𝐨𝐥𝐝 𝒾𝓉 ᴀʙᴄ ℝ ⒝ 🄲 🅳 🅐", "Bold it abc R (b) C D A"),
        ("ﬁne ﬂoor ŉ ſ", "fine floor 'n s"),
        ("Chapter Ⅳ, Part ⅩⅣ, item ⅻ, ⅰ", "Chapter IV, Part XIV, item 12, 1"),
        ("ⓐⓑⓒ ⓗⓔⓛⓛⓞ Ⓑ x", "A B C hello B x"),
        ("①②⑳ ❶ ➓ ⓫ ⒈ ⑴.", "1 2 20 1 10 11 1. (1)."),
        ("㎏ ㎡ ℃ ℡ ㏂", "kg m² °C TEL a.m."),
        ("co\u00adop\u2060er\u200bate\ufeff \u202eit\u202c a\ufe0f", "cooperate it a"),
        ("don’t ‘x O`k ʼn", "don't 'x O`k 'n"),
        ("'Fine,' he said. ‘It’s the dogs’.’", "“Fine,” he said. “It's the dogs”.'"),
        ("the '90s, rock 'n' roll, 'tis 'em; boys' 5' 10\"", "the '90s, rock 'n' roll, 'tis 'em; boys' 5' 10\""),
        ("„a“ «b» “c” 〝d〞", "“a“ “b” “c” “d”"),
        ("a‐b‑c ‒ – — ― −5", "a-b-c – – — — −5"),
        ("a\u00a0b\u2003\u3000c\t\r\nd\u2028e   f", "a b c d e f"),
        ("\x00a\x08b\x7f\ue000\ud800", "ab"),
        ("e\u0301 o\u0302\u0301 A\u030a Å K", "é ố Å Å K"),
        ("t\u0337e\u0337xt n\u0304 5\u0336", "text n 5"),
        ("Bjørn Łódź Straße đ æ œ þ ð ı", "Bjørn Łódź Straße đ æ œ þ ð ı"),
        ("hi 👍🏽 there 👨\u200d👩\u200d👧🇺🇸!", "hi there !"),
        ("1️⃣ ✓★✗ done", "1 done"),
        ("I ♥ NY, we ❤️ it, all ♥ it ❤️", "I love NY, we love it, all it "),
        (
            "x² 10⁻⁹ H₂O xⁿ ½ ⅓ 1⁄2 √ ≠ ± € £ ™ © № ° ′ ″ → ♭ • …",
            "x² 10⁻⁹ H₂O xⁿ ½ ⅓ 1/2 √ ≠ ± € £ ™ © № ° ′ ″ → ♭ • …",
        ),
        ("4ᵗʰ 1ˢᵗ", "4th 1st"),
        ("٣٤ ३ ５", "34 3 5"),
        ("10 μg, μm, λμ, μ", "10 µg, µm, λμ, μ"),
        ("你好，世界！ＡＢ（Ｃ）", "你好，世界！AB（C）"),
        ("ｶﾞｷﾞｱ ｶ", "ガギア カ"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("می\u200cخواهم a\u200cb", "می\u200cخواهم ab"),
        ("Привет नमस्ते สวัสดี שָׁלוֹם", "Привет नमस्ते สวัสดี שָׁלוֹם"),
    ],
)
def test_folding(text: str, plain: str) -> None:
    assert folded(text) == plain


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("180º", "en-us", "180°"),
        ("20ºC", "es", "20°C"),
        ("1º, 2ª", "es", "1º, 2ª"),
        ("1º", "pt-br", "1º"),
    ],
)
def test_a_raised_o_is_a_degree_or_an_ordinal(text: str, language: str, plain: str) -> None:
    assert folded(text, language) == plain


def test_places_stay() -> None:
    text = fold(MappedText.of("ﬁn e\u0301 👍  x"))
    assert text.text == "fin é x"
    assert text.span(0, 2) == (0, 1)
    assert text.span(4, 5) == (3, 5)
    assert text.span(5, 6) == (5, 9)
    assert text.span(6, 7) == (9, 10)


@given(st.text(st.characters() | st.sampled_from("a1 \u0301\u200d\ufe0f，ｶﾞº\u1100\u1161"), max_size=40))
def test_folded_text_is_clean_and_its_places_are_in_order(text: str) -> None:
    once = fold(MappedText.of(text))
    assert list(once.starts) == sorted(once.starts)
    assert list(once.ends) == sorted(once.ends)
    assert all(end <= len(text) for end in once.ends)
    assert "  " not in once.text
    assert not any(character in "\x00\n\t\u200b\ufeff\u00a0" for character in once.text)


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x21, exclude_characters="'"), max_size=40))
def test_plain_text_stays(text: str) -> None:
    assert folded(text) == text


@pytest.mark.parametrize("part", PARTS)
def test_time_is_linear(part: str) -> None:
    assert seconds(lambda text: fold(MappedText.of(text)), part) < LONGEST
