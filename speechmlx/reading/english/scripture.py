"""Chapter and verse: "Gen. 1:1-3", "1 Cor. 13:4"."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, rule
from speechmlx.reading.english.numbers import cardinal, ordinal

_BOOKS = (
    "Genesis=Gen Exodus=Exod,Ex Leviticus=Lev Numbers=Num Deuteronomy=Deut,Dt Joshua=Josh Judges=Judg Ruth= Samuel=Sam "
    "Kings=Kgs Chronicles=Chron,Chr Ezra= Nehemiah=Neh Esther=Esth Job= Psalms=Pss Psalm=Ps Proverbs=Prov "
    "Ecclesiastes=Eccl Isaiah=Isa Jeremiah=Jer Lamentations=Lam Ezekiel=Ezek Daniel=Dan Hosea=Hos Joel= Amos= Obadiah= "
    "Jonah=Jon Micah=Mic Nahum= Habakkuk=Hab Zephaniah=Zeph Haggai=Hag Zechariah=Zech Malachi=Mal Matthew=Matt,Mt "
    "Mark=Mk Luke=Lk John=Jn Acts= Romans=Rom Corinthians=Cor Galatians=Gal Ephesians=Eph Philippians=Phil "
    "Colossians=Col Thessalonians=Thess Timothy=Tim Titus= Philemon=Phlm Hebrews=Heb James=Jas Peter=Pet Jude= "
    "Revelation=Rev Surah= Quran="
)
BOOKS = {
    spelling: book
    for book, _, short in (row.partition("=") for row in _BOOKS.split())
    for spelling in (book, *filter(None, short.split(",")))
}
BOOK = "|".join(sorted(BOOKS, key=len, reverse=True))


def _verse(m: re.Match[str], place: TokenContext) -> str:
    """ "1 Cor. 13:4-7" → "first corinthians thirteen four to seven"."""
    number = f"{ordinal(len(m['number']) if m['number'][0] == 'I' else int(m['number']))} " if m["number"] else ""
    last = f" to {cardinal(int(m['last']))}" if m["last"] else ""
    return f"{number}{BOOKS[m['book']].lower()} {cardinal(int(m['chapter']))} {cardinal(int(m['verse']))}{last}"


def _psalm(m: re.Match[str], place: TokenContext) -> str:
    return f"psalm {cardinal(int(m[1]))}"


RULES: list[Rule] = [
    rule(
        "scripture",
        "0a",
        rf"(?<!\w)(?:(?P<number>[123]|I{{1,3}})\s)?(?P<book>{BOOK})\b\.?\s(?P<chapter>\d{{1,3}}):(?P<verse>\d{{1,3}})"
        r"(?:[-–](?P<last>\d{1,3}))?(?![\d:])",
        _verse,
    ),
    rule("scripture", "a", r"(?<!\w)Ps\.\s(\d{1,3})(?![\d:])", _psalm),
]
