"""SSML: what its elements mean, by tables; what is wrong is said; nothing expands; places stay; linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_text import LONGEST, seconds

from speechmlx.errors import BadRequest
from speechmlx.reading import Pause, SpokenWord, Token, read, spoken
from speechmlx.reading.ssml import blocks, is_ssml


def words(text: str) -> list[SpokenWord]:
    return [token for token in read(text) if isinstance(token, SpokenWord)]


def marks(tokens: list[Token]) -> str:
    return " ".join(
        token.text if isinstance(token, SpokenWord) else token.mark or str(token.seconds) for token in tokens
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<speak>Hi</speak>", True),
        ("<speak/>", True),
        ('\ufeff \n<?xml version="1.0"?>\n<speak version="1.1">Hi</speak>', True),
        ('<!DOCTYPE speak PUBLIC "a" "b"><speak>Hi</speak>', True),
        ("<speaker>Hi</speaker>", False),
        ("Say <speak>", False),
    ],
)
def test_what_is_ssml(text: str, answer: bool) -> None:
    assert is_ssml(text) is answer


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("Hello &amp; hi &#233;<![CDATA[ x ]]>", "Hello and hi é x ."),
        ("<p>One<s>Two</s>Three!</p>Four", "One . Two . Three ! Four ."),
        ("One <break time='500ms'/>two<break time='1.5s' strength='weak'/> <break/>", "One 0.5 two . 1.5 0.5"),
        ("a<break strength='none'/>b<break strength='x-strong'/>c", "a b 1.2 c ."),
        ("10<break/>20", "ten 0.5 twenty ."),
        ("the <sub alias='World Wide Web'>WWW</sub>.", "the World Wide Web ."),
        ("<mark name='x'/><voice name='y'>Hi <foo bar='1'>you</foo></voice><desc>no</desc>", "Hi you ."),
        ("<metadata><p>no</p></metadata>yes", "yes ."),
        ("**no** Markdown # here", "no Markdown hash here ."),
        ("<say-as interpret-as='characters'>aB-1 c</say-as>", "a b dash one , c ."),
        (
            "<say-as interpret-as='telephone'>+1 (415) 555-26</say-as>",
            "plus one , four one five , five five five , two six .",
        ),
        ("<say-as interpret-as='digits'>007</say-as>", "zero zero seven ."),
        ("<say-as interpret-as='unheard-of'>as it is</say-as>", "as it is ."),
        ("", ""),
    ],
)
def test_elements(inside: str, said: str) -> None:
    assert marks(read(f"<speak>{inside}</speak>")) == said


def test_phonemes() -> None:
    text = "<speak>A <phoneme alphabet='ipa' ph='təˈmeɪtoʊ'>to<b>ma</b>to</phoneme>, <phoneme ph='/x/'/></speak>"
    assert [(word.text, word.phonemes) for word in words(text)] == [("A", None), ("tomato", "təˈmeɪtoʊ"), ("x", "x")]


def test_rate_and_emphasis_reach_over_paragraphs_and_multiply() -> None:
    text = (
        "<speak>a <prosody rate='slow'><p>b <prosody rate='50%'>c</prosody></p><p>d</p></prosody>"
        "<emphasis level='strong'>e</emphasis> <emphasis level='reduced'>f <emphasis>g</emphasis></emphasis> "
        "<prosody rate='+20%' volume='loud'>h</prosody> <prosody pitch='high'>i</prosody></speak>"
    )
    rates = {word.text: word.rate for word in words(text)}
    assert rates == pytest.approx({"a": 1, "b": 0.8, "c": 0.4, "d": 0.8, "e": 1, "f": 1, "g": 1, "h": 1.2, "i": 1})
    assert [word.emphasis for word in words(text)] == [0, 0, 0, 0, 1, -1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<speak>AT&T</speak>", r"not well-formed.* at line 1, column 1\d; .* & is written &amp;"),
        ("<speak>never closed", "ends before the last element is closed"),
        ("<speak><p>x</speak>", "mismatched tag at line 1"),
        ("<speak>&nbsp;</speak>", "undefined entity"),
        ("<speak>a</speak>b", "junk after document element"),
        ("<speak><break time='20s'/></speak>", "time '20s'; allowed is a time like 500ms"),
        ("<speak><break time='soon'/></speak>", "time 'soon'"),
        ("<speak><break strength='huge'/></speak>", "strength 'huge'; allowed are none, x-weak"),
        ("<speak><prosody rate='9'>x</prosody></speak>", "rate '9'; allowed are x-slow"),
        ("<speak><prosody rate='-100%'>x</prosody></speak>", "rate '-100%'"),
        ("<speak><emphasis level='loud'>x</emphasis></speak>", "level 'loud'; allowed are strong"),
        ("<speak><phoneme ph='x' alphabet='x-sampa'>y</phoneme></speak>", "alphabet 'x-sampa'; allowed are ipa"),
        ("<speak><phoneme>y</phoneme></speak>", "<phoneme> needs the attribute ph"),
        ("<speak><sub alias=' '>y</sub></speak>", "<sub> needs the attribute alias"),
        ("<speak>\ud800</speak>", "not well-formed"),
        ("<speak>" + "<b>" * 60 + "</b>" * 60 + "</speak>", "over 50 elements within each other"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        blocks(text)


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "ha">',
        '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1/x.dtd"> %a;',
    ],
)
def test_entities_of_its_own_are_refused(declared: str) -> None:
    with pytest.raises(BadRequest, match="declares entities"):
        blocks(f"<!DOCTYPE speak [{declared}]><speak>&a;</speak>")


def test_a_document_type_without_declarations_is_not_fetched() -> None:
    document = '<!DOCTYPE speak PUBLIC "-//W3C//DTD SYNTHESIS 1.0//EN" "http://127.0.0.1:1/x.dtd"><speak>Hi</speak>'
    assert spoken(read(document)) == "hi"


def test_places() -> None:
    text = " <speak>é ü &amp; <sub alias='a b'>x</sub> <say-as interpret-as='digits'>12</say-as>\r\né</speak>"
    found = [text[token.start : token.end] for token in read(text) if isinstance(token, SpokenWord)]
    assert found == ["é", "ü", "&amp;", "<sub alias='a b'>x</sub>", "<sub alias='a b'>x</sub>", "1", "2", "é"]
    (pause,) = (token for token in read("<speak>a <break/>b</speak>") if isinstance(token, Pause) and token.seconds)
    assert (pause.start, pause.end) == (9, 17)


PIECES = st.sampled_from(
    [
        *("<p>", "</p>", "<s>", "</s>", "<break/>", "<sub alias='x y'>", "</sub>", "<phoneme ph='x'>", "</phoneme>"),
        *("<say-as interpret-as='characters'>", "</say-as>", "<say-as interpret-as='date' format='mdy'>", "3/4/2024"),
        *(
            "<prosody rate='slow'>",
            "</prosody>",
            "<emphasis>",
            "</emphasis>",
            "word ",
            "Dr. A. ",
            "é",
            "你。",
            " \n",
            "&amp;",
        ),
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_document_is_read_or_refused(inside: str) -> None:
    text = f"<speak>{inside}</speak>"
    try:
        tokens = read(text)
    except BadRequest:
        return
    starts = [token.start for token in tokens]
    assert starts == sorted(starts)
    assert all(0 <= token.start <= token.end <= len(text) for token in tokens)


HOSTILE = [
    "<p/>",
    "<s>a</s>",
    "a &amp; ",
    "<break/>",
    "<b>a</b>",
    "<prosody rate='slow'>a</prosody>",
    "é ",
    "\r\n",
    "]",
    "1.",
]


@pytest.mark.parametrize("part", [*HOSTILE, "<say-as interpret-as='digits'>1</say-as>", "<phoneme ph='x'>a</phoneme>"])
def test_time_is_linear(part: str) -> None:
    assert seconds(lambda text: read(f"<speak>{text}</speak>"), part) < LONGEST
