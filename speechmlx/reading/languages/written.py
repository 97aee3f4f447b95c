"""Words as they are written, abbreviations, Roman numerals, capitals, addresses of the web, signs and marks."""

from __future__ import annotations

import re
import unicodedata

from speechmlx.reading.languages.grammar import LETTER, MARK, MARKS, Context, Recogniser, either, letters, rule
from speechmlx.reading.languages.language import Language
from speechmlx.reading.languages.numerals import digits, parse, pattern, roman

P = Context[Language]

APOSTROPHE = "['’ʼ]"
PART = f"{LETTER}[{MARK}]{{0,4}}(?:{LETTER}|[{MARK}]){{0,60}}"
WORD = f"{PART}(?:{APOSTROPHE}{PART}){{0,4}}(?:[-‐‑]{PART}(?:{APOSTROPHE}{PART}){{0,2}}){{0,6}}{APOSTROPHE}?"
HOST = r"[a-z0-9][a-z0-9-]{0,60}(?:\.[a-z0-9][a-z0-9-]{0,60}){0,5}"
DOMAINS = "com org net edu gov info es fr it pt br de at ch be in uk us eu io ai app dev mx ar cl co cn jp tv me"
DOMAINS += " gob gouv"
PATH = r"(?::\d{1,5})?(?:[/?#][\w/?#&=.%~+-]{0,200}(?<![.?]))?"
TITLES = "“”«»„‟‹›"
OPEN, CLOSED = "“„«‹([{¿¡", "”»›)]}"
ROMAN = r"(?P<n>[IVXLCDM]{1,12})(?P<suffix>(?<=I)(?:er|re|ère)|(?<=[IVX])(?:e|ème)|[ºª°])?(?P<dot>\.)?(?!\w)"
ROMAN_FIRST = r"(?P<n>[IVXLCDM]{1,12})(?P<suffix>e|ème)?"
VOWELS = "aeiouyáéíóúàèìòùâêîôûäëïöüãõæœøå"
ONSET = re.compile(
    rf"(?:[bcdfghjklmnpqrstvwxz]?[{VOWELS}]|[bcfgpt]l|[bcdfgptvk]r|s[cklmnptvw]|[cpt]h|sch|gn|qu)", re.IGNORECASE
)
CLUSTER = re.compile(rf"[^{VOWELS}]{{3}}|[^{VOWELS}snrlmtdxzsfck]$", re.IGNORECASE)


def rules(language: Language) -> list[Recogniser[Language]]:
    found = [
        rule("web", "a", rf"https?://{HOST}{PATH}|www\.{HOST}{PATH}", _web),
        rule("web", "a0", rf"[\w.+-]{{1,60}}@{HOST}\.[a-zA-Z]{{2,10}}(?![\w])", _web),
        rule("web", "a0", rf"(?i:{HOST}\.(?:{either(DOMAINS.split())})){PATH}(?![\w])", _web),
    ]
    if language.signs:
        signs = "".join(s[0] for s in language.signs if s not in "?-№")
        if language.endings:
            found.append(rule("abbreviation", "a", rf"{PART}(?:{either(language.endings)})", _ending))
        found += [
            rule("abbreviation", "a", _abbreviations(language), _abbreviation),
            rule("times", "a", r"[xX](?=\s?\d|\s[^\W\d_])", _times),
            rule(
                "roman",
                "a",
                ROMAN,
                _roman,
            ),
            rule("roman", "a", rf"{ROMAN_FIRST}[-–](?P<o>[IVXLCDM]{{1,12}})(?:e|ème)?(?!\w)", _romans),
            rule("initial", "a", rf"(?:{LETTER}\.){{2,6}}|{LETTER}\.(?=\s)", _initial),
            rule("small", "₀₁₂₃₄₅₆₇₈₉", "[₀-₉]{1,6}", _small),
            rule("power", "⁻⁰⁴⁵⁶⁷⁸⁹¹", "⁻?[⁰¹²³⁴-⁹]{1,6}", _power),
            rule("mixed", "a", r"[A-Za-z]{1,8}[-‐]?\d{1,4}(?![\d\w.,]\d|\w)", _mixed),
            rule("mixed", "0", r"(?P<n>\d{1,4})(?P<l>[A-Z]{1,3})(?![\w])", _mixed),
            rule("number", "#nN№", rf"(?:#|№)\s?(?P<a>{pattern(language.decimal)})", _numbered),
            rule("hashtag", "#@", r"[#@](?=[^\W\d])", lambda m, place: place.language.signs[m[0]]),
            rule("decade", "'’", r"['’](?=\d\ds?(?!\d))", lambda m, place: ""),
            rule("minus", "-–−", r"(?<=\s)[-–−](?=\s\(?[-−]?\d)", _minus),
            rule("minus", "-−", r"[-−](?=[^\W\d_](?!\w))", _negative),
            rule("sign", signs, either(s for s in language.signs if s[0] in signs), _sign),
        ]
    else:
        found.append(rule("sign", "%&+=@#$€£¥₹°×÷§", r"[%&+=@#$€£¥₹°×÷§]", lambda m, place: m[0]))
    return [*found, rule("word", "a", WORD, _word), *MARK_RULES]


def _keys(language: Language) -> set[str]:
    keys = set(language.abbreviations)
    keys |= {k[0].upper() + k[1:] for k in keys if len(k) > 2 or k[-1] in "º°"}
    return keys | {k.replace(" ", "") for k in keys} | {k.replace(" ", "\u00a0") for k in keys}


def _abbreviations(language: Language) -> str:
    keys = _keys(language)
    words, others = (either(k for k in keys if k[-1].isalpha() is lettered) for lettered in (True, False))
    centuries = f"|(?:{either(language.centuries)})(?=\\s?[IVXLC]{{1,7}}(?!\\w))" if language.centuries else ""
    return rf"(?:{words})(?!\w)(?:\.(?=\s))?|(?:{others}){centuries}"


def _times(m: re.Match[str], place: P) -> str | None:
    return place.language.signs["×"] if re.search(r"\d\s?$", place.before()) else None


def _abbreviation(m: re.Match[str], place: P) -> str | None:
    language = place.language
    table, written = {**language.centuries, **language.abbreviations}, m[0].replace("\u00a0", " ")
    if written not in table and written.removesuffix(".") in table:
        written = written.removesuffix(".")
    said = table.get(written) or table.get(written[0].lower() + written[1:])
    if said is None:
        said = next(v for k, v in table.items() if written.lower() == k.replace(" ", "").lower())
    if written == "." or (place.at and place.text[place.at - 1] in "'’" and len(written) < 3):
        return None
    return f"{said} ." if written.endswith(".") and place.ends(m.end()) else said


def _ending(m: re.Match[str], place: P) -> str:
    end = next(e for e in place.language.endings if m[0].endswith(e))
    said = m[0].removesuffix(end) + place.language.endings[end]
    return f"{said} ." if place.ends(m.end()) else said


def _roman(m: re.Match[str], place: P) -> str | None:
    number, before, language = roman(m["n"]), place.word_before(), place.language
    if number is None or place.shouted:
        return None
    written, suffix = m["n"], (m["suffix"] or "") + (m["dot"] or "")
    end = f" {'.' if place.ends(m.end()) else ''}" if m["dot"] else ""
    said = language.roman(number, before, place.word_after(m.end()), suffix)
    if said is None and len(written) > 3 and number > 1000 and not suffix:
        said = language.year(number)
    if said is None and not m["suffix"] and number < 40 and _is_name(before, place) and not _letter(written, before):
        said = language.regnal(number, before)
    return None if said is None else said + end.rstrip()


def _romans(m: re.Match[str], place: P) -> str | None:
    """A range of Roman numerals: "siglos XV-XVI"."""
    language, before, after = place.language, place.word_before(), place.word_after(m.end())
    numbers, suffix = [roman(m[group]) for group in "no"], m["suffix"] or ""
    said = [number and language.roman(number, before, after, suffix) for number in numbers]
    return f"{said[0]} {language.to} {said[1]}" if all(said) else None


def _is_name(before: str, place: P) -> bool:
    return before[:1].isupper() and not before.isupper() and before.lower() not in place.language.not_nouns


def _letter(written: str, before: str) -> bool:
    """Whether a capital after a name is a letter: "Plan C", "Malcolm X", "vitamina D"."""
    lone = {"malcolm", "plan", "factor", "generación", "generation", "geração", "generazione", "vitamin", "vitamina"}
    return written in "LCDM" or (len(written) == 1 and before.lower() in lone)


def _initial(m: re.Match[str], place: P) -> str | None:
    """A letter before a full stop, in a name or an abbreviation: "J. R. Smith"."""
    if not m[0][0].isupper():
        return None
    return f"{letters(m[0])} ." if len(m[0]) > 2 and place.ends(m.end()) else letters(m[0])


def _small(m: re.Match[str], place: P) -> str:
    return place.language.whole(unicodedata.normalize("NFKC", m[0]))


def _power(m: re.Match[str], place: P) -> str:
    language, text = place.language, unicodedata.normalize("NFKC", m[0])
    minus = f"{language.minus} " if m[0][0] == "⁻" else ""
    return f"{language.signs['^']} {minus}{language.whole(digits(text))}"


def _mixed(m: re.Match[str], place: P) -> str | None:
    """Letters and digits in one word: "A4", "MP3", "COVID-19", "3D"."""
    language, parts = place.language, re.findall(r"[^\W\d_]+|\d+", m[0])
    if parts[0] in ("x", "X") and place.before()[-1:].isdecimal():
        return None
    if parts[0].islower() and len(parts[0]) > 1 and len(parts) == 2:
        return f"{parts[0]} {language.whole(digits(parts[1]))}"
    flight = len(parts[0]) > 1 and parts[0].isupper() and len(parts[-1]) > 2
    say = language.digits if flight else language.whole
    said = [say(digits(p)) if p.isdecimal() else _capitals(p, place) for p in parts]
    return " ".join(said)


def _numbered(m: re.Match[str], place: P) -> str:
    language = place.language
    return f"{language.signs['№']} {language.number(parse(m['a'], language.decimal))}"


def _minus(m: re.Match[str], place: P) -> str | None:
    """A dash with blanks around it: minus where it is reckoned, else none."""
    around = place.before() + place.text[place.at : m.end() + 30]
    return place.language.minus if "=" in around and re.search(r"[\d)]\s$", place.before()) else None


def _negative(m: re.Match[str], place: P) -> str | None:
    return place.language.minus if re.search(r"[=(+*×/^]\s?$", place.before()) else None


def _sign(m: re.Match[str], place: P) -> str | None:
    before, after = place.text[place.at - 1 : place.at], place.text[m.end() : m.end() + 1]
    if m[0] in "/|*_" and not (before.isspace() and after.isspace()) and not (before.isdecimal() and m[0] == "*"):
        return ""
    if m[0] in "-–":
        return None
    return place.language.signs[m[0]]


def _web(m: re.Match[str], place: P) -> str | None:
    language, said = place.language, []
    text = re.sub(r"^https?://", "", m[0]).rstrip("/")
    if not language.signs:
        return m[0]
    parts = re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", text)
    labels = re.split(r"[/?#:]", text.split("@")[-1])[0].lower().split(".")
    for i, part in enumerate(parts):
        domain = i and parts[i - 1] == "." and part.lower() in labels[1:] and len(part) == 2
        if part.isdecimal():
            said.append(language.digits(digits(part)) if len(part) > 4 else language.whole(digits(part)))
        elif part.lower() == "www" or (domain and part.lower() not in language.spoken_domains):
            said.append(letters(part))
        elif part.isalpha():
            said.append(part if len(part) > 1 else letters(part))
        else:
            said.append({".": language.dot or language.point}.get(part) or language.signs.get(part, ""))
    return " ".join(said) + (" ." if place.ends(m.end()) and m[0].endswith(".") else "")


def _word(m: re.Match[str], place: P) -> str:
    word = re.sub("[’ʼ]", "'", re.sub("[‐‑]", "-", m[0]))
    if word.endswith("'") and (place.before()[-1:] in ("'", "‘") or re.search(r"(?:^|\s)['‘]", place.before())):
        word = word[:-1]
    head, cut, last = word.rpartition("'")
    if last.isupper() and len(last) > 1:
        said = _capitals(last, place)
        return word if said == last else f"{head}{cut} {said}".strip()
    return word


def _capitals(word: str, place: P) -> str:
    """A word in capitals: the names of its letters if it is an acronym that no one says as a word."""
    language = place.language
    if len(word) == 1:
        return f".{word.lower()}" if word.isascii() else word
    if place.shouted and word not in language.spelled:
        return word.lower()
    if not word.isupper() or not word.isalpha() or len(word) > 6 or word in language.names:
        return word
    if word in language.spelled:
        return letters(word)
    plain = word.isascii() and (len(word) == 2 or not ONSET.match(word) or CLUSTER.search(word) is not None)
    return letters(word) if plain else word


def _quote(m: re.Match[str], place: P) -> str:
    return "”" if place.quoted else "“"


def _stops(m: re.Match[str], place: P) -> str:
    run = m[0]
    if "?" in run or "!" in run or "؟" in run:
        return "?" if "?" in run or "؟" in run else "!"
    return "…" if "…" in run or run.count(".") > 2 else "."


def _mark(m: re.Match[str], place: P) -> str:
    c = m[0][0]
    if c in MARKS:
        return c
    others = {"¿": "", "¡": "", "،": ",", "؛": ";", "、": ",", "，": ",", "；": ";", "：": ":", "•": ",", "―": "—"}
    return others.get(c) if c in others else "(" if c in "([{" else ")" if c in ")]}" else "“" if c in OPEN else "”"  # type: ignore[return-value]


MARK_RULES: list[Recogniser[Language]] = [
    rule("mark", ".!?…。！？؟।॥", r"[.!?…。！？؟।॥]{1,80}", _stops),
    rule("mark", ",;:،؛、，；：•¿¡―—()[]{}“”«»„‟‹›", r"[,;:،؛、，；：•¿¡―—()\[\]{}“”«»„‟‹›]", _mark),
    rule("mark", '"', r'"', _quote),
    rule("mark", "-–−", r"(?:(?<=\s)|(?<!.))[-–−]{1,80}(?=\s)|[-–−]{2,80}", lambda m, place: "—"),
]
