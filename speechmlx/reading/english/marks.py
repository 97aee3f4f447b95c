"""What is left: words as they are written, foreign letters, marks that make a pause, signs that have a name."""

from __future__ import annotations

import re
import unicodedata

from speechmlx.reading.english.grammar import Rule, Say, TokenContext, letters, rule

LATIN = r"A-Za-zªº\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
QUOTE = "['’ʼ]"
PART = rf"[{LATIN}]{{1,50}}(?:{QUOTE}[{LATIN}]{{1,20}}){{0,3}}"
WORD = rf"{PART}(?:[-‐‑]{PART}){{0,6}}(?:(?:(?<=[sS])|(?<=in)){QUOTE}(?=[\s.,!?;:)]|$))?"
ELIDED = rf"(?<![\w]){QUOTE}(?=(?i:tis|twas|em|cause|til|bout|round|cuz|nother|n)\b)"
FOREIGN = (
    rf"[^\W\d_{LATIN}\u0370-\u03ff](?:[^\W\d_{LATIN}]|[\s·・，。、]|[\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff]){{0,80}}"
)
VOWEL = re.compile(r"[^b-df-hj-np-tv-xz]")
SOUNDS = frozenset(
    "hm hmm hmmm mm mmm mhm sh shh shhh psst pst brr brrr grr grrr tsk pfft pff zzz zz nth ch th cwm".split()
)
"""Words without a vowel."""
SCRIPTS = {"CJK": "chinese", "HIRAGANA": "japanese", "KATAKANA": "japanese", "HANGUL": "korean", "DEVANAGARI": "hindi"}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon "
    "phi chi psi omega"
)
GREEK = {chr(0x3B1 + i): name for i, name in enumerate(_GREEK.split())} | {"ϵ": "epsilon", "ϕ": "phi", "ϑ": "theta"}

SIGNS = {
    "%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "°": "degrees", "×": "times",
    "÷": "divided by", "±": "plus or minus", "∓": "minus or plus", "≤": "less than or equal to",
    "≥": "greater than or equal to", "≈": "approximately", "≠": "not equal to", "≡": "is equivalent to",
    "→": "to", "⇒": "implies", "↔": "to", "∞": "infinity", "√": "the square root of", "∛": "the cube root of",
    "∑": "the sum of", "∏": "the product of", "∫": "the integral of", "∂": "partial", "∆": "delta", "∇": "nabla",
    "∈": "in", "∉": "not in", "∪": "union", "∩": "intersection", "⊂": "subset of", "∀": "for all", "∃": "there exists",
    "∴": "therefore", "∵": "because", "∝": "proportional to", "©": "copyright", "§": "section", "¶": "paragraph",
    "−": "minus", "‰": "per mille", "µ": "micro", "№": "number", "♯": "sharp", "♭": "flat", "⁄": "over", "·": "times",
    "℃": "degrees celsius", "℉": "degrees fahrenheit", "∠": "angle", "∅": "the empty set", "¬": "not",
    "′": "prime", "″": "double prime", "♥": "heart",
    "™": "trademark", "®": "registered", "<": "less than", ">": "greater than",
}  # fmt: skip
SMALL = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789")


def _word(m: re.Match[str], place: TokenContext) -> str:
    word = re.sub(r"[’ʼ]", "'", re.sub(r"[‐‑]", "-", m[0]))
    if word[-1] == "'" and re.search(r"(?<!\w)['‘][^'‘]*$", place.before()):
        word = word[:-1]  # the quote that closes
    if word.islower() and word.isalpha() and 1 < len(word) < 6 and word not in SOUNDS and not VOWEL.search(word):
        return letters(word)
    return f"~{word}"


def _foreign(m: re.Match[str], place: TokenContext) -> str:
    script = unicodedata.name(m[0][0], "").partition(" ")[0].partition("-")[0].lower()
    script = SCRIPTS.get(script.upper(), script)
    return f"{script} text" if script.isalpha() and script.isascii() else ""


def _greek(m: re.Match[str], place: TokenContext) -> str | None:
    plain = "".join(c for c in unicodedata.normalize("NFD", m[0].lower()) if c in GREEK)
    if len(plain) > 2:
        return "greek text"
    return " ".join(GREEK[c] for c in plain)


def _stops(m: re.Match[str], place: TokenContext) -> str:
    run = m[0]
    if "?" in run or "!" in run:
        return "?" if "?" in run else "!"
    return "…" if "…" in run or run.count(".") > 2 else "."


def _double_quote(m: re.Match[str], place: TokenContext) -> str:
    return "”" if place.quoted else "“"


def _sign(m: re.Match[str], place: TokenContext) -> str:
    if m[0] in "™®" and place.before()[-1:].isalnum():
        return ""
    return SIGNS[m[0]]


def _say(said: str) -> Say:
    return lambda m, place: said


RULES: list[Rule] = [
    rule("word", "a", WORD, _word),
    rule("word", "'’ʼ", rf"{ELIDED}{WORD}", _word),
    rule("greek", "a", r"[\u0370-\u03ff]{1,60}", _greek),
    rule("foreign", "a", FOREIGN, _foreign),
    rule("mark", ".!?…", r"[.!?…]{1,80}", _stops),
    rule("mark", ",;:", r"[,;:]", lambda m, place: m[0]),
    rule("mark", "([{", r"[(\[{]", _say("(")),
    rule("mark", ")]}", r"[)\]}]", _say(")")),
    rule("mark", "“«„‟", r"[“«„‟]", _say("“")),
    rule("mark", "”»", r"[”»]", _say("”")),
    rule("mark", '"', r'"', _double_quote),
    rule("mark", "-–—―−", r"(?:(?<=\s)|(?<![^\s]))[-–—―−]{1,80}(?=\s)|[-–—―−]{2,80}|[—―]", _say("—")),
    rule("mark", "|•‣◦▪", r"[|•‣◦▪]", _say(",")),
    rule("sign", "".join(SIGNS), "|".join(map(re.escape, SIGNS)), _sign),
    rule("sign", "§", r"§{2,3}", _say("sections")),
    rule("sign", "#", r"#", lambda m, place: "number" if place.text[m.end() : m.end() + 1].isdecimal() else "hash"),
    rule("sign", "\\", r"\\(?=\w)", _say("backslash")),
]
