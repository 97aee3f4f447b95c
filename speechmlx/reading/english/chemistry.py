"""Formulas of chemistry (H2O, Na+, Ca²⁺) and keys and chords of music (F#, B♭ minor)."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.marks import SMALL
from speechmlx.reading.english.numbers import cardinal

ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr D".split()
)
KNOWN = frozenset(
    "NaCl NaOH KCl HCl NaF KOH HF HBr AgCl MgO CaO ZnO NaBr KBr LiF CuO FeO NaHCO TiN GaN GaAs InP SiC".split()
)
LOW, UP = "₀₁₂₃₄₅₆₇₈₉", "⁰¹²³⁴⁵⁶⁷⁸⁹"
PART = re.compile(rf"([A-Z][a-z]?)|([\d{LOW}]+)|([()])|((?:\^?[\d{UP}]?[+⁺⁻−-]+))")
FORMULA = rf"(?:\d{{1,2}})?(?:[A-Z][a-z]?|\()[A-Za-z\d{LOW}()]{{0,30}}(?:\^?[\d{UP}]?[+⁺⁻−-](?![\w]))?"


def _formula(m: re.Match[str], place: TokenContext) -> str | None:
    text = m[0].rstrip("(")
    if re.fullmatch(r"[A-Z][a-z]?\d\d[+-]", text):
        return None  # a model: "S23+"
    charge = re.search(r"\^?([\d⁰¹²³⁴⁵⁶⁷⁸⁹]?)([+⁺⁻−-])$", text)
    body = text[: charge.start()] if charge else text
    symbols = re.findall(r"[A-Z][a-z]?", body)
    if not symbols or not _is_formula(body, symbols, charge):
        return None
    said = []
    for number, symbol in re.findall(rf"([\d{LOW}]+)|([A-Z][a-z]?)", body):
        said.append(letters(symbol) if symbol else cardinal(int(number.translate(SMALL))))
    if charge:
        value = charge[1].translate(SMALL)
        said.append((f"{cardinal(int(value))} " if value else "") + ("plus" if charge[2] in "+⁺" else "minus"))
    return " ".join(said)


def _is_formula(body: str, symbols: list[str], charge: re.Match[str] | None) -> bool:
    if (
        not all(s in ELEMENTS for s in symbols)
        or re.search(r"[a-z]{2}|\(\)|\($", body)
        or body.count("(") != body.count(")")
    ):
        return False
    if body in KNOWN or re.search(rf"[{LOW}]", body):
        return True
    digit = re.search(r"\d", body) is not None
    if digit and len(re.findall(r"\d{3,}", body)):
        return False
    two = any(len(s) == 2 for s in symbols)
    if charge and charge[0][-1] in "⁺⁻":
        return True
    if charge and ((len(symbols) == 1 and two) or charge[1] or symbols == ["H"]):
        return charge[2] == "+" or bool(charge[1])
    return digit and not charge and (two or len(symbols) > 1 or symbols[0] in "OHN")


KEY = (
    r"(?<!\w)(?P<note>[A-G])(?P<sign>[#♯♭]|b(?=\s(?:major|minor|flat)|m\b|7))(?P<chord>m7b5|maj7|min7|m7|maj|min|m|7"
    r"|sus4|sus2|dim|aug)?(?:/(?P<bass>[A-G])(?P<under>[#♯♭]?))?(?![\w#])"
)
CHORDS = {
    "m7b5": "minor seven flat five",
    "maj7": "major seven",
    "min7": "minor seven",
    "m7": "minor seven",
    "maj": "major",
    "min": "minor",
    "m": "minor",
    "7": "seven",
    "sus4": "sus four",
    "sus2": "sus two",
    "dim": "diminished",
    "aug": "augmented",
}
ACCIDENTALS = {"#": "sharp", "♯": "sharp", "♭": "flat", "b": "flat"}


def _key(m: re.Match[str], place: TokenContext) -> str:
    said = f"{letters(m['note'])} {ACCIDENTALS[m['sign']]}"
    if m["chord"]:
        said += f" {CHORDS[m['chord']]}"
    if m["bass"]:
        said += f" over {letters(m['bass'])} {ACCIDENTALS.get(m['under'], '')}".rstrip()
    return said


def _chord(m: re.Match[str], place: TokenContext) -> str:
    """ "Am7", "Cmaj7", "Gsus4"."""
    return f"{letters(m[1])} {CHORDS[m[2]]}"


def _note(m: re.Match[str], place: TokenContext) -> str:
    """ "A minor", "C major": the letter."""
    return letters(m[0])


RULES: list[Rule] = [
    rule("chemistry", "a0(", rf"(?<!\w){FORMULA}(?![\w{LOW}{UP}⁺⁻])", _formula),
    rule("music", "a", KEY, _key),
    rule("music", "a", r"(?<!\w)([A-G])(maj7|min7|m7|maj|min|sus4|sus2|dim|aug)(?![\w])", _chord),
    rule("music", "a", r"(?<!\w)([B-G])(m)(?!\w)", _chord),
    rule("music", "a", r"(?<!\w)[A-G](?=\s(?:major|minor|flat|sharp|natural)\b)", _note),
]
