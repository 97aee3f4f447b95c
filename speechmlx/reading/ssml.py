"""SSML → blocks: speak, p, s, break, say-as, sub, phoneme, prosody's rate, emphasis. Pure, linear in the length.

Other elements are ignored and their text is read, but for descriptions and data about the text. A document type and
entities of its own are refused, so that nothing expands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn
from xml.parsers import expat

from speechmlx.errors import BadRequest
from speechmlx.reading.blocks import Given, Manner, SaidAs, TextBlock
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.tokens import Pause, SpokenWord, Token

BEGINNING = re.compile(r"[\s\ufeff]*(?:<\?xml\s[^<>]{0,200}\?>\s*)?(?:<speak(?=[\s/>])|<!DOCTYPE\s{1,20}speak\s)")
TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>")
AMPERSAND = re.compile(rb"&(?:amp|#0*38|#[xX]0*26);")
TIME = re.compile(r"\+?([0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})\s*(ms|s)")
PERCENT = re.compile(r"([+-]?)([0-9]{1,4}(?:\.[0-9]{0,4})?)\s*%")
FACTOR = re.compile(r"[0-9]{1,3}(?:\.[0-9]{0,4})?")

STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.8, "x-strong": 1.2}
"""Seconds of silence."""
LONGEST_BREAK = 10.0
"""Seconds."""
RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
SLOWEST, FASTEST = 0.25, 4.0
EMPHASES = {"strong": 1, "moderate": 1, "none": 0, "reduced": -1}
INTERPRETATIONS = {
    "characters": "characters", "character": "characters", "spell-out": "characters", "spell": "characters",
    "verbatim": "characters", "letters": "characters", "cardinal": "cardinal", "number": "cardinal",
    "ordinal": "ordinal", "date": "date", "time": "time", "telephone": "telephone", "phone": "telephone",
    "fraction": "fraction", "unit": "unit", "measure": "unit", "digits": "digits", "number_digit": "digits",
}  # fmt: skip
"""What say-as may name, and the class that it means. Text of another one is read as it is."""
ALPHABETS = ("ipa", "misaki")
NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
UNCLOSED = "the text ends before the last element is closed"
WORDS = ("say-as", "phoneme", "sub")
"""Elements that hold a part of a sentence."""
UNREAD = frozenset("metadata meta lexicon desc".split())
PARAGRAPHS = frozenset("speak p s paragraph sentence".split())
DEEPEST = 50
"""Elements within each other, at most."""


def is_ssml(text: str) -> bool:
    """Whether a text begins like a document in SSML."""
    return BEGINNING.match(text) is not None


def blocks(text: str) -> list[TextBlock]:
    """The blocks of a document. Raises BadRequest, which says what is wrong and where."""
    return _Reader(text).read()


@dataclass(slots=True)
class _Element:
    """An element that is open."""

    name: str
    start: int
    attributes: Mapping[str, str]
    silent: bool
    """Its text is not read: another one stands for it."""
    heard: list[str] = field(default_factory=list)
    """The text inside, where it is needed."""


class _Reader:
    """One pass of expat, and the places of its events in the text."""

    def __init__(self, text: str) -> None:
        self._offset = len(text) - len(text.lstrip(" \t\r\n\v\f\ufeff"))
        self._raw = text[self._offset :].encode("utf-8", "surrogatepass")
        self._byte, self._place = 0, self._offset
        """A place in the bytes and in the text, from which later ones are counted."""
        self._open: list[_Element] = []
        self._pieces: list[MappedText] = []
        self._notes: list[Given | SaidAs] = []
        self._manners: list[Manner] = []
        self._found: list[TextBlock] = []
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.buffer_text = False
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._refuse

    def read(self) -> list[TextBlock]:
        try:
            self._parser.Parse(self._raw, True)
        except expat.ExpatError as error:
            reason = UNCLOSED if error.code == NO_ELEMENTS else expat.errors.messages[error.code]
            where = f"line {error.lineno}, column {error.offset + 1}"
            raise BadRequest(
                f"the SSML is not well-formed: {reason} at {where}; every element is closed, & is written &amp; and "
                "< is written &lt;"
            ) from None
        self._flush()
        return list(_in_manner(self._found, sorted(self._manners, key=lambda manner: (manner.start, -manner.end))))

    # --- events ---

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise BadRequest(f"the SSML has over {DEEPEST} elements within each other")
        start, end = self._tag()
        inside = self._open[-1].silent if self._open else False
        element = _Element(name, start, attributes, inside)
        self._open.append(element)
        if inside:
            return
        if name in PARAGRAPHS:
            self._flush()
        elif name == "break":
            self._say((Pause("", start, end, _seconds(attributes)),), start, end)
        elif name in UNREAD:
            element.silent = True
        elif name == "sub":
            _needed(name, attributes, "alias")
            element.silent = True
        elif name == "phoneme":
            self._check_phoneme(attributes)
        elif name == "prosody":
            _rate(attributes.get("rate", "medium"))
        elif name == "emphasis":
            _emphasis(attributes)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        inner_end, end = self._tag()
        if self._open and self._open[-1].silent:
            return
        if name in PARAGRAPHS:
            self._flush()
        elif name == "sub":
            self._pieces.append(MappedText.said(element.attributes["alias"], element.start, max(end, inner_end)))
        elif name == "phoneme":
            self._end_phoneme(element, max(end, inner_end))
        elif name == "say-as":
            interpret = INTERPRETATIONS.get(element.attributes.get("interpret-as", "").strip().lower())
            if interpret is not None and "".join(element.heard).strip():
                self._notes.append(
                    SaidAs(element.start, end, interpret, element.attributes.get("format", "").strip().lower())
                )
        elif name == "prosody" and (rate := _rate(element.attributes.get("rate", "medium"))) != 1:
            self._manners.append(Manner(element.start, end, rate=rate))
        elif name == "emphasis" and (emphasis := _emphasis(element.attributes)):
            self._manners.append(Manner(element.start, end, emphasis=emphasis))

    def _text(self, data: str) -> None:
        if not self._open or self._open[-1].silent:
            return
        index = self._parser.CurrentByteIndex
        start = self._at(index)
        raw = data.encode("utf-8", "surrogatepass")
        if self._raw.startswith(raw, index) and not (data == "&" and AMPERSAND.match(self._raw, index)):
            self._pieces.append(MappedText.of(data, start))
        else:  # an entity, or the end of a line
            reference = self._raw[index : index + 1] == b"&"
            width = self._raw.find(b";", index) + 1 - index if reference else 1
            self._pieces.append(MappedText.said(data, start, self._at(index + width)))
        for element in self._open:
            if element.name in ("say-as", "phoneme"):
                element.heard.append(data)

    def _doctype(self, name: str, system: str | None, public: str | None, has_own: bool) -> None:
        if has_own:
            self._refuse()

    def _refuse(self, *declaration: object) -> NoReturn:
        raise BadRequest("the SSML declares entities or elements of its own (<!DOCTYPE speak [...]>); leave them out")

    # --- what the elements mean ---

    def _check_phoneme(self, attributes: Mapping[str, str]) -> None:
        _needed("phoneme", attributes, "ph")
        alphabet = attributes.get("alphabet", "ipa").strip().lower()
        if alphabet.removeprefix("x-") not in ALPHABETS:
            raise BadRequest(f"<phoneme> has the alphabet {alphabet!r}; allowed are {' and '.join(ALPHABETS)}")

    def _end_phoneme(self, element: _Element, end: int) -> None:
        phonemes = element.attributes["ph"].strip().strip("/").strip()
        text = " ".join("".join(element.heard).split()) or phonemes
        if not element.heard:
            self._pieces.append(MappedText.said(" ", element.start, end))
        self._notes.append(Given(element.start, end, (SpokenWord(text, element.start, end, phonemes=phonemes),)))

    def _say(self, tokens: tuple[Token, ...], start: int, end: int) -> None:
        """Tokens without a text; a blank stands for them."""
        self._pieces.append(MappedText.said(" ", start, end))
        if any(not isinstance(token, Pause) or token.seconds for token in tokens):
            self._notes.append(Given(start, end, tokens))

    def _flush(self) -> None:
        """The block under way is complete, but inside an element that holds a part of a sentence."""
        if any(element.name in WORDS for element in self._open):
            return
        text = MappedText.join(self._pieces)
        if text.text.strip() or self._notes:
            self._found.append(TextBlock("paragraph", text, tuple(sorted(self._notes, key=lambda note: note.start))))
        self._pieces, self._notes = [], []

    # --- places ---

    def _tag(self) -> tuple[int, int]:
        """The characters of the tag of this event."""
        index = self._parser.CurrentByteIndex
        tag = TAG.match(self._raw, index)
        start = self._at(index)
        return start, self._at(tag.end()) if tag else start

    def _at(self, index: int) -> int:
        """The place in the text of a byte; bytes are asked for in about their order."""
        if index < self._byte:
            return self._place - len(self._raw[index : self._byte].decode("utf-8", "surrogatepass"))
        self._place += len(self._raw[self._byte : index].decode("utf-8", "surrogatepass"))
        self._byte = index
        return self._place


def _in_manner(blocks: Iterable[TextBlock], manners: Sequence[Manner]) -> Iterator[TextBlock]:
    """The blocks with the manners that reach into them."""
    active, coming = list[Manner](), 0
    for block in blocks:
        start, end = block.text.span(0, len(block.text))
        while coming < len(manners) and manners[coming].start < end:
            active.append(manners[coming])
            coming += 1
        active = [manner for manner in active if manner.end > start]
        yield replace(block, notes=(*block.notes, *active)) if active else block


def _needed(name: str, attributes: Mapping[str, str], attribute: str) -> str:
    value = attributes.get(attribute, "")
    if not value.strip():
        raise BadRequest(f"<{name}> needs the attribute {attribute}")
    return value


def _seconds(attributes: Mapping[str, str]) -> float:
    """The length of a break: its time, else that of its strength."""
    if "time" in attributes:
        time = TIME.fullmatch(attributes["time"].strip().lower())
        seconds = float(time[1]) / (1000 if time[2] == "ms" else 1) if time else -1.0
        if not 0 <= seconds <= LONGEST_BREAK:
            allowed = f"a time like 500ms or 1.5s, of {LONGEST_BREAK:g} s at most"
            raise BadRequest(f"<break> has the time {attributes['time']!r:.40}; allowed is {allowed}")
        return seconds
    strength = attributes.get("strength", "medium").strip().lower()
    if strength not in STRENGTHS:
        raise BadRequest(f"<break> has the strength {strength!r:.40}; allowed are {', '.join(STRENGTHS)}")
    return STRENGTHS[strength]


def _rate(written: str) -> float:
    """A rate as a factor: "slow", "120%", "+20%", "1.2"."""
    text = written.strip().lower()
    rate = RATES.get(text)
    if rate is None and (percent := PERCENT.fullmatch(text)):
        share = float(percent[2]) / 100
        rate = 1 + share if percent[1] == "+" else 1 - share if percent[1] else share
    elif rate is None and FACTOR.fullmatch(text):
        rate = float(text)
    if rate is None or not SLOWEST <= rate <= FASTEST:
        allowed = f"{', '.join(RATES)}, or a factor of {SLOWEST:g} to {FASTEST:g} like 1.2, 120% or +20%"
        raise BadRequest(f"<prosody> has the rate {written!r:.40}; allowed are {allowed}")
    return rate


def _emphasis(attributes: Mapping[str, str]) -> int:
    level = attributes.get("level", "moderate").strip().lower()
    if level not in EMPHASES:
        raise BadRequest(f"<emphasis> has the level {level!r:.40}; allowed are {', '.join(EMPHASES)}")
    return EMPHASES[level]
