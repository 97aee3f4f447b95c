"""Blocks of Markdown and HTML: marks go where they are marks, by tables; places stay, by laws; linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_text import LONGEST, PARTS, seconds

from speechmlx.reading import SpokenWord
from speechmlx.reading.blocks import Given, TextBlock
from speechmlx.reading.structure import blocks


def texts(text: str) -> list[str]:
    return [block.text.text for block in blocks(text)]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text.text) for block in blocks(text)]


@pytest.mark.parametrize(
    "text",
    [
        *("5 * 3 = 15", "a_b and snake_case_x", "2 < 3 and 5 > 4", "a<b and c>d", "it is > 5", ">= 5", "#1 fan", "C#"),
        *("2*3*4", "2**3**4", "f**k", "x ** y", "List<T>", "<foo>", "I <3 you", "f[i](x)", "array[0][1]", "[1]"),
        *(
            "-5 degrees",
            "1.5 liters",
            "2024. A year",
            "1. Mai 2024",
            "A. Smith wrote",
            "price*",
            "*Terms apply",
            "AT&T; R&D",
            "a | b",
        ),
        *("$5 and $10", "$5-$10", "cost $5, or US$", "$5/$10", "C:\\dir", "a ` b", "~5", "a == b", "# of items"),
        *("https://x.com/a_b_c_d", "1 - 2", "||", "[Music]: loud", "see [it] (now)", "<b and c>", "- "[:1]),
    ],
)
def test_what_is_no_mark_stays(text: str) -> None:
    assert texts(text) == [text]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**bold**, *it*, __b__, _i_, ***both***, ~~gone~~, ==lit==", "bold, it, b, i, both, gone, lit"),
        ("**bold**ly", "boldly"),
        ("这是**重点**内容", "这是重点内容"),
        ("*a **b** c*", "a b c"),
        ("**“Really?”** he said", "“Really?” he said"),
        ("Use `x_y` and ``a`b``", "Use x_y and a`b"),
        ("the `<b>` tag", "the b tag"),
        ("[the docs](https://a.b/c?d=e) first", "the docs first"),
        ('[a](<x y> "title") [b](x_(y)) [c]()', "a b c"),
        ("![A cat](cat.png)!", "A cat!"),
        ("[![A badge](b.svg)](https://c.d)", "A badge"),
        ("<https://y.com> and <me@x.org>", "https://y.com and me@x.org"),
        ("It is so[^1].", "It is so."),
        ("So.[1] And[2][3], “yes.”[a] x² No.² End.[citation needed]", "So. And, “yes.” x² No. End."),
        ("\\*not\\* \\# it", "*not* # it"),
        ("AT&amp;T &lt;b&gt; &#42;x&#42; &nbsp;&eacute;", "AT&T <b> *x* \xa0é"),
        ("$x^2 + y$ and $n$", "x^2 + y and n"),
        ("$$\\frac{a}{b} \\times 10^{3}$$", "a / b × 10^3"),
        ("\\(\\frac{1}{2}\\) \\[x_{12} \\leq \\alpha\\]", "1/2 x₁₂ ≤ α"),
        ("**Note. This", "Note. This"),
        ("is bold** text", "is bold text"),
        ("a<br>b, <br/>c", "a, b, c"),
        ("a  \nb\\\nc", "a, b, c"),
    ],
)
def test_marks_inside_a_block(text: str, plain: str) -> None:
    assert texts(text) == [plain]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Title\nText", [("heading", "Title"), ("paragraph", "Text")]),
        ("## Title ##", [("heading", "Title")]),
        ("About C#\n===\nText\n---\n", [("heading", "About C#"), ("heading", "Text")]),
        ("One\n\nTwo", [("paragraph", "One"), ("paragraph", "Two")]),
        ("One\r\n\r\nTwo\u2029Three", [("paragraph", "One"), ("paragraph", "Two"), ("paragraph", "Three")]),
        ("- one\n* two\n+ three\n• four", [("item", text) for text in ("one", "two", "three", "four")]),
        ("1. Milk\n2) Eggs\n(3) Tea", [("item", "1, Milk"), ("item", "2, Eggs"), ("item", "3, Tea")]),
        (
            "IV. Results\n\niv. item\n\n# V. Sources",
            [("item", "4, Results"), ("item", "4, item"), ("item", "5, Sources")],
        ),
        ("ii) two\niv) four", [("item", "2, two"), ("item", "4, four")]),
        ("- [ ] open\n- [x] done", [("item", "open"), ("item", "done")]),
        ("- one\n  goes on\n    - two", [("item", "one goes on"), ("item", "two")]),
        ("- 1. one", [("item", "1, one")]),
        ("> a\n> b\n\nc", [("quote", "a b"), ("paragraph", "c")]),
        ("> > # T\n> - i", [("heading", "T"), ("item", "i")]),
        ("a\n\n---\n\n* * *\nb", [("paragraph", "a"), ("paragraph", "b")]),
        ("```py\nx = 1\n\n# y\n```\nz", [("code", "x = 1"), ("code", "y"), ("paragraph", "z")]),
        ("~~~\n**a**", [("code", "**a**")]),
        ("```\n$ ls -l\n>>> x\n$5\n```", [("code", "ls -l"), ("code", "x"), ("code", "$5")]),
        ("| A | B |\n|---|:-:|\n| 1 | **2** |", [("row", "A, B"), ("row", "1, 2")]),
        ("a | b\n--|--\nc \\| d | e\n\nf | g", [("row", "a, b"), ("row", "c | d, e"), ("paragraph", "f | g")]),
        ("[x][1] [y][] [z]\n\n[1]: https://a.b\n[y]: /c\n[Z]: #d 'title'", [("paragraph", "x y z")]),
        ("So[^a]\n\n[^a]: It is.", [("paragraph", "So"), ("paragraph", "It is.")]),
    ],
)
def test_blocks(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<b>bold</b> and AT&amp;T", ["bold and AT&T"]),
        ("<h1>T</h1><p class=x>A</p>\n<ul>\n<li>x</li>\n<li>y</li></ul>", ["T", "A", "x", "y"]),
        ("a<!-- no -->b <script>if (1<2) {}</script>c<style>p {}</style>", ["ab c"]),
        ("<table><tr><td>a</td>\n<td>b</td></tr><tr><td>c</td></tr></table>", ["a, b", "c"]),
        ("H<sub>2</sub>O x<sup>2</sup> 1<sup>st</sup>", ["H₂O x² 1st"]),
        ('<img src="a.png" alt="A cat"/> <a href="x>y" target=_blank>link</a>', ["A cat link"]),
        ("<!DOCTYPE html><html><head><title>T</title></head><body hidden>x</body></html>", ["T", "x"]),
        ("<foo>x</foo> <my-tag id='1'>y", ["x y"]),
        ("<script>never closed", ["never closed"]),
        ("a <!-- never closed", ["a <!-- never closed"]),
        ("<![CDATA[x]]>", ["x"]),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", ["漢"]),
    ],
)
def test_html(text: str, found: list[str]) -> None:
    assert texts(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Title\nSome text follows here.", ["Title, Some text follows here."]),
        (
            "A short title\nThis line is as long as lines of this text are at most.",
            ["A short title", "This line is as long as lines of this text are at most."],
        ),
        ("We went to London and\nParis, which were both as fine as they ever had been.", None),
        ("We went to the town of London, then on to\nParis, which was as fine as it ever had been.", None),
        ("Wrapped prose is long enough to be wrapped at some width\nAnd goes on.", None),
        ("The people of the town went down to the old\nHarbour to see the ship come in at dawn.", None),
        ("A line that\ngoes on.", ["A line that goes on."]),
        ("John Smith\n12 Main St\nSpringfield", ["John Smith, 12 Main St, Springfield"]),
    ],
)
def test_lines_that_were_ended_on_purpose(text: str, found: list[str] | None) -> None:
    assert texts(text) == (found or [text.replace("\n", " ")])


def test_a_word_with_its_phonemes() -> None:
    word = SpokenWord("Kokoro", 6, 12, phonemes="kˈOkəɹO")
    (block,) = blocks("I am [Kokoro](/kˈOkəɹO/).")
    assert block == TextBlock("paragraph", block.text, (Given(6, 12, (word,)),))
    assert block.text.text == "I am Kokoro."
    assert block.text.span(5, 11) == (6, 12)


def test_the_letter_of_an_item() -> None:
    (block,) = blocks("a) Milk")
    assert block.text.text == "a, Milk"
    assert block.notes == (Given(0, 1, (SpokenWord("a", 0, 1, is_letter=True),)),)


MARKED = st.text(
    st.sampled_from(list("ab1 \n*_`[]()<>#-|&;$\\!~=.:/\"'é\u2028")) | st.characters(), max_size=80
) | st.lists(st.sampled_from(PARTS), max_size=20).map("".join)


@given(MARKED)
def test_places_are_in_order_and_inside(text: str) -> None:
    end = 0
    for block in blocks(text):
        assert block.text.text.strip()
        assert list(block.text.starts) == sorted(block.text.starts)
        assert list(block.text.ends) == sorted(block.text.ends)
        first, last = block.text.span(0, len(block.text))
        assert end <= first <= last <= len(text)
        assert all(first <= note.start <= note.end <= last for note in block.notes)
        end = last


@given(st.text(st.sampled_from("ab cé.,你"), max_size=60).map("x{}".format))  # not "a. b", which is an item
def test_text_without_marks_stays_with_its_places(text: str) -> None:
    said = text.strip()
    assert texts(text) == ([said] if said else [])
    for block in blocks(text):
        assert all(text[block.text.starts[at]] == character for at, character in enumerate(said))


@pytest.mark.parametrize("part", PARTS)
def test_time_is_linear(part: str) -> None:
    assert seconds(blocks, part) < LONGEST
