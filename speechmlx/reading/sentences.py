"""Cuts text into sentences and clauses, in any language, without losing a character. Pure, linear in the length.

Pieces keep the white space that follows them, so joining them gives the text back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from speechmlx.reading import abbreviations

# Stops that need no space after them: Chinese, Japanese, Hindi, Urdu, Armenian, Ethiopic, Burmese.
WIDE = "。！？．｡।॥۔։።၊။"
STOPS = f".!?…؟{WIDE}"
OPERATORS = tuple("=≠≈<>≤≥+−×÷*/")
"""What may follow a factorial: "5! = 120"."""
CLOSERS = "\"'”’»›)]}」』】）》〉"
CLAUSE_STOPS = ";:,—–،؛，、；："

LABELS = frozenset(
    "vitamin plan grade class type hepatitis section option team group category appendix size exhibit schedule level "
    "gate terminal platform pier block building unit room step figure table part phase track side variant version "
    "letter drive note key chord string influenza schedule series model zone hall wing question answer".split()
)
"""Before a single capital that is no initial of a name: "Vitamin C. It helps"."""
STARTERS = frozenset(
    "the a an this that these those there here it he she we you they i my your his her its our their what when where "
    "who why how which if in on at for from with after before but and so or yet then now as while although because "
    "no not yes do does did is are was were can could will would should may some many most all each every both one "
    "however meanwhile finally instead still since until unlike despite".split()
)
"""A sentence begins with one of these more often than a name does: "in the U.S. The law"."""
PLACES = frozenset("u.s u.k u.n e.u d.c".split())
"""Abbreviations that stand before names as well: "the U.S. Army"."""
ORDERED = frozenset(
    "januar jänner februar feber märz april mai juni juli august september oktober november dezember marts maj mars "
    "desember december jahrhundert jahrhunderts jh jahrtausend klasse stock etage platz tag woche monat jahr jahrestag "
    "geburtstag mal liga bundesliga auflage kapitel weltkrieg runde spieltag minute halbzeit bezirk advent lebensjahr "
    "stelle rang teil akt satz absatz artikel semester quartal halbjahr generation stufe".split()
)
"""Capital words after an ordinal, which German and its neighbours write with a full stop: "am 3. Mai"."""
HOURS = frozenset("a.m p.m".split())
AFTER_HOURS = frozenset(
    "est edt cst cdt mst mdt pst pdt et ct mt pt gmt utc bst cet cest ist jst monday tuesday wednesday thursday friday "
    "saturday sunday mon tue tues wed thu thurs fri sat sun january february march april may june july august "
    "september october november december jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
"""Days, months and zones, which go on after an hour: "5 p.m. EST"."""

DATED = frozenset(
    "mon tue tues wed thu thur thurs fri sat sun jan feb mar apr may jun jul aug sep sept oct nov dec".split()
)

NOTE = r"(?:[¹²³⁰⁴-⁹]{1,3}|\[\d{1,3}\])"
ENDING = re.compile(
    rf"(?:\.(?:[ \u00a0\u202f]\.)++[{re.escape(STOPS)}]*+|[{re.escape(STOPS)}]++)[{re.escape(CLOSERS)}]*+{NOTE}*+"
)
LINE_END = re.compile(r"\n\s*+")
MARKER = re.compile(r"(?:[-*•+#>‣◦▪]|#{2,6}|\(?(?:\d{1,3}|[a-z])[.)])[^\S\n]|\||```|~~~")
HEAD = re.compile(r"[^\S\n]{0,3}(?:#{1,6}[^\S\n]|\||```|~~~)")
WORD = re.compile(r"[^\s(\[{\"'“‘«¿¡]+$")
WORD_BEFORE = re.compile(r"([^\W\d_]{1,20})[^\S\n]{1,3}$")
NEXT_WORD = re.compile(r"[^\W_]{1,20}(?![^\W_])")
CLAUSE = re.compile(
    rf"(?<![{re.escape(CLAUSE_STOPS)}])(?!(?<=\d\s)–\s++\d)[{re.escape(CLAUSE_STOPS)}]++[{re.escape(CLOSERS)}]*+(?:\s++|(?<=[，、；：]))"
    r"|\s(?:(?<!\d\s)|(?![–-]\s++\d))[—–-]++\s++"  # no range and no difference: "10 - 3"
)
SPACE = re.compile(r"\s++")
OPENERS = re.compile(r"[\"'“‘«(\[{¿¡*_]++")
LINKED = re.compile(r"\[[^\[\]\n]{1,300}\]\([^()\n]{0,500}(?:\([^()\n]{0,100}\)[^()\n]{0,100})?\)")
"""A Markdown link: it is read whole, or its address would be read."""
OPEN_LINK = re.compile(r"\[[^\[\]\n]{0,300}(?:\](?:\([^()\n]{0,500})?)?\Z")
# A speaker may take a breath before these: English, Spanish, French, Italian, Portuguese.
LINKS = (
    "and or but because although since while when where which who that if than to in on at for from with without by "
    "into about through after before during between over under against "
    "y o pero porque aunque cuando donde que con para por desde hasta entre sobre "
    "et ou mais parce lorsque quand où qui dans avec sans pour par depuis vers chez "
    "e ed ma perché quando dove che nel nella per da tra fra oppure "
    "ou mas porque embora quando onde com sem para desde até entre"
)
LINK = re.compile(rf"(?<=\s)(?:{'|'.join(sorted(set(LINKS.split())))})(?=\s)", re.IGNORECASE)


def sentences(text: str) -> list[str]:
    """ "Dr. Lee paid 3.50. He left." → ["Dr. Lee paid 3.50. ", "He left."]; [] for nothing but white space."""
    return _without_blanks(_cut(text, sentence_ends(text)))


def finished(text: str, least: int = 0, by_clause: bool = False) -> tuple[list[str], str]:
    """Split text that is still arriving into the sentences that are certainly complete, and the rest.

    With `by_clause`, clauses of at least `least` characters count as well. A full stop counts only once the next
    character is there: "3." may become "3.5". Nothing is cut inside a link that is still arriving.
    """
    ends = [end for end in sentence_ends(text) if end < len(text) or text[end - 1] in WIDE or text.endswith("\n\n")]
    if by_clause:
        ends = sorted({*ends, *_outside(LINKED, text, (m.end() for m in CLAUSE.finditer(text) if m.end() < len(text)))})
    if open_link := OPEN_LINK.search(text, max(0, len(text) - 800)):
        ends = [end for end in ends if end <= open_link.start()]
    pieces, start, full = [], 0, len(text.rstrip())
    for end in ends:
        if len(text[start:end].strip()) >= (least if end <= full else 0):
            pieces.append(text[start:end])
            start = end
    whole = _without_blanks(pieces)
    return whole, text[start:] if whole else text


def phrase(text: str, least: int) -> tuple[str, str]:
    """Split text that is still arriving into a first phrase of at least `least` characters, and the rest.

    The cut is before a word that links the phrase to the next one. The phrase is "" if there is no such word.
    """
    link = LINK.search(text, least)
    end = link.start() if link else 0
    return text[:end], text[end:]


def clauses(text: str, limit: float, measure: Callable[[str], float] = len) -> list[str]:
    """Cut text into pieces of at most `limit`: at clause marks, else between words, else anywhere.

    Neighbouring clauses stay together while they fit, so most text comes back in one piece. `measure` of a text is
    the sum of what it is of the text's pieces.
    """
    return _without_blanks(piece for piece, _ in _fitting(text, measure(text), limit, measure, _CUTS))


_Sized = tuple[str, float]
"""A piece and its measure."""


def _fitting(
    text: str, size: float, limit: float, measure: Callable[[str], float], cuts: tuple[Callable[[str], list[int]], ...]
) -> list[_Sized]:
    if size <= limit or len(text) < 2:
        return [(text, size)]
    for level, cut in enumerate(cuts):
        parts = list(_cut(text, cut(text)))
        if len(parts) > 1:
            fitting = [_fitting(part, measure(part), limit, measure, cuts[level + 1 :]) for part in parts]
            return list(_joined((piece for pieces in fitting for piece in pieces), limit))
    half = len(text) // 2
    return [piece for part in (text[:half], text[half:]) for piece in _fitting(part, measure(part), limit, measure, ())]


def _joined(pieces: Iterable[_Sized], limit: float) -> Iterator[_Sized]:
    together, total = list[str](), 0.0
    for piece, size in pieces:
        if together and total + size > limit:
            yield "".join(together), total
            together, total = [], 0.0
        together.append(piece)
        total += size
    yield "".join(together), total


def _matches(pattern: re.Pattern[str], text: str) -> list[int]:
    return [m.end() for m in pattern.finditer(text)]


def _cut(text: str, ends: list[int]) -> Iterator[str]:
    start = 0
    for end in [*ends, len(text)]:
        if end > start:
            yield text[start:end]
            start = end


def _without_blanks(pieces: Iterable[str]) -> list[str]:
    """Join blank pieces to a neighbour. Text that is only white space gives no piece."""
    kept: list[list[str]] = []
    lead: list[str] = []
    for piece in pieces:
        if piece.strip():
            kept.append([*lead, piece])
            lead = []
        else:
            (kept[-1] if kept else lead).append(piece)
    return ["".join(parts) for parts in kept]


def _outside(pattern: re.Pattern[str], text: str, ends: Iterable[int]) -> Iterator[int]:
    """Those of the `ends`, which are in order, that do not lie inside a match of `pattern`."""
    found = pattern.finditer(text)
    inside = next(found, None)
    for end in ends:
        while inside is not None and inside.end() <= end:
            inside = next(found, None)
        if inside is None or end <= inside.start():
            yield end


def sentence_ends(text: str) -> list[int]:
    """Offsets of the ends of sentences in `text`, after their white space; in order."""
    breaks = [m.end() for m in LINE_END.finditer(text) if _is_break(text, m)]
    ends, start, first_break = set(breaks), 0, 0
    for m in ENDING.finditer(text):
        while first_break < len(breaks) and breaks[first_break] <= m.start():
            start = max(start, breaks[first_break])
            first_break += 1
        if _ends_sentence(text, start, m):
            start = _matched(SPACE, text, m.end())
            ends.add(start)
    return list(_outside(LINKED, text, sorted(ends)))


def _is_break(text: str, m: re.Match[str]) -> bool:
    """Whether the line end `m`, with the white space after it, parts two pieces that are read one by one."""
    if text.count("\n", m.start(), m.end()) > 1 or MARKER.match(text, m.end()):
        return True
    line = text.rfind("\n", 0, m.start()) + 1
    return HEAD.match(text, line) is not None or text[max(line, m.start() - 1) : m.start()] == ":"


def _ends_sentence(text: str, start: int, m: re.Match[str]) -> bool:
    mark, after = m[0], text[m.end() : m.end() + 1]
    if mark[0] in WIDE:
        return not (after and after in STOPS)
    if after and not after.isspace():
        return False
    following = _matched(SPACE, text, m.end())
    opened = _matched(OPENERS, text, following)
    if text[opened : opened + 1].islower() or (mark == "!" and text[opened : opened + 1] in OPERATORS):
        return False
    if mark[0] != "." or len(mark) > 1 or following == len(text):
        return True
    word = WORD.search(text, max(start, m.start() - 40), m.start())
    return word is None or _may_end(text, start, word, opened)


def _may_end(text: str, start: int, word: re.Match[str], following: int) -> bool:
    """Whether a full stop after `word`, in a sentence from `start`, ends it: a capital, a digit or a mark follows."""
    written = word[0].lstrip("-—*_")
    found = NEXT_WORD.match(text, following)
    after = found[0] if found else ""
    if written.isdigit() and len(written) <= 3:  # the number of an item: "1. Milk"
        listed = not text[max(start, word.start() - 40) : word.start()].strip(" \n\t|>*_#-")
        return not listed and after.lower() not in ORDERED
    if len(written) == 1 and written.isupper():
        return written == "I" or _previous(text, start, word).lower() in LABELS
    short = abbreviations.find(written)
    if short is None:
        return True
    if not text[following : following + 1].isalnum() or {written.lower(), after.lower()} <= DATED:
        return False  # "8 a.m. - 4 p.m.", "Sun. Mar. 3"
    if written.lower() in PLACES:
        return after.lower() in STARTERS
    if written.lower() in HOURS and after.lower() in AFTER_HOURS:
        return False
    if short.before == "name" and short.other:  # "on Main St. The shop": a street, if no name follows
        return after.lower() in STARTERS and _previous(text, start, word)[:1].isupper()
    return short.may_end(after[:1].isdigit())


def _previous(text: str, start: int, word: re.Match[str]) -> str:
    found = WORD_BEFORE.search(text, max(start, word.start() - 24), word.start())
    return found[1] if found else ""


def _matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The end of the match of `pattern` at offset `at`; `at` if it does not match."""
    found = pattern.match(text, at)
    return found.end() if found else at


_CUTS: tuple[Callable[[str], list[int]], ...] = (
    sentence_ends,
    lambda text: list(_outside(LINKED, text, _matches(CLAUSE, text))),
    lambda text: _matches(SPACE, text),
)
