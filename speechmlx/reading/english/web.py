"""Addresses of the web and of mail, domains, files, paths, handles, hashtags."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import digits, number, pairs, year

TLDS = (
    "com org net edu gov mil int info biz name pro io ai app dev co me tv fm ly gg xyz tech site online shop store "
    "blog cloud news live media rs uk us ca au de fr es it nl be ch at se no dk fi pl cz ru jp cn kr in br mx za nz ie "
    "eu il sg hk tw ar pt gr tr ua ro hu id my ph th vn"
)
FILES = (
    "txt pdf doc docx xls xlsx ppt pptx csv tsv json yaml yml toml xml html htm css js ts jsx tsx mjs py rb go rs java "
    "c h cpp hpp cc cs php swift kt sh bash zsh bat exe dll so md rst tex log ini cfg conf env lock zip tar gz bz2 rar "
    "7z dmg iso jpg jpeg png gif bmp svg webp tiff ico heic mp3 mp4 wav flac ogg m4a aac avi mov mkv webm db sql "
    "sqlite bak tmp ipynb r jar apk ipa deb rpm whl parquet psd ai eps ttf otf woff woff2 vue scss wasm"
)
SAID = {
    "com": "com", "org": "org", "net": "net", "gov": "gov", "info": "info", "co": "co", "jpeg": "~jpeg", "gif": "~gif",
    "json": "~json", "doc": "doc", "docx": "doc .x", "exe": ".e .x .e", "io": ".i .o", "ai": ".a .i", "edu": ".e .d .u",
    "me": "me", "us": ".u .s", "in": "in", "is": "is", "it": ".i .t", "id": ".i .d", "eu": ".e .u", "au": ".a .u",
    "ie": ".i .e", "be": "be", "no": "no", "java": "java", "go": "go", "so": ".s .o", "iso": ".i .s .o",
    "yaml": "yaml", "toml": "toml", "wav": "wav", "bak": "back", "ini": "~ini", "env": "~env", "sql": ".s .q .l",
    "www": ".w .w .w", "api": ".a .p .i", "url": ".u .r .l", "ui": ".u .i", "ux": ".u .x", "id3": ".i .d three",
    "usr": "user", "etc": "et cetera", "src": "source", "tmp": "temp", "lib": "lib", "bin": "bin", "dev": "dev",
    "img": ".i .m .g", "readme": "read me", "faq": ".f .a .q", "aol": ".a .o .l", "ibm": ".i .b .m", "nba": ".n .b .a",
    "bbc": ".b .b .c", "cnn": ".c .n .n", "avi": ".a .v .i", "ogg": "ogg", "aac": ".a .a .c", "apk": ".a .p .k",
    "ico": ".i .c .o", "deb": "deb", "ipa": ".i .p .a", "eps": ".e .p .s", "otf": ".o .t .f", "uk": ".u .k",
    "ca": ".c .a", "de": ".d .e", "es": ".e .s", "at": ".a .t", "se": ".s .e", "fi": ".f .i", "cs": ".c .s",
    "db": ".d .b", "mov": "mov", "hub": "hub", "gmail": "g mail", "youtube": "you tube", "ru": ".r .u", "py": ".p .y",
    "my": "my", "ly": ".l .y", "by": "by", "ebay": "e bay", "ipynb": ".i .p .y .n .b", "yml": ".y .m .l",
}  # fmt: skip
NAMES = {
    ".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "+": "plus", "%": "percent", "~": "tilde", "*": "star",
    "\\": "backslash", ",": ",",
}  # fmt: skip
VOWEL = re.compile(r"[aeiouy]", re.I)
RUN = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\w\s]|_|[^\W\d_A-Za-z]+")
SUBSCRIPT = re.compile(r"[A-Za-z]_(?:\d{1,4}|[a-z])")
"""A variable of mathematics."""
LONGEST = 300  # characters of an address that are read


def label(text: str) -> str:
    """A run of letters in an address: a word, or letters where it cannot be said."""
    lower = text.lower()
    if lower in SAID:
        return SAID[lower]
    if len(text) == 1 and text.isascii():
        return f".{lower}"
    if not VOWEL.search(text) or (text.isupper() and len(text) < 4):
        return letters(text)
    return f"~{lower}"


def spoken(text: str) -> str:
    """An address, file name or path, each part by its name."""
    return " ".join(_part(run) for run in RUN.findall(text[:LONGEST]))


def _part(run: str) -> str:
    if run[0].isdecimal():
        if re.fullmatch(r"(?:19|20)\d\d", run):
            return year(int(run))
        if len(run) == 4 and run[2:] != "00":
            return pairs(run)
        return number(run) if len(run) < 3 and run[0] != "0" else digits(run)
    return NAMES.get(run, "") if not run[0].isalpha() else label(run)


def _address(m: re.Match[str], place: TokenContext) -> str:
    """A web address: without "https://", and without what closes it."""
    return spoken(re.sub(r"^[a-z]{2,8}://", "", m[0]).rstrip("/"))


def _domain(m: re.Match[str], place: TokenContext) -> str | None:
    ending = m["ending"].lower()
    if ending in ("in", "it", "me", "no", "at", "be", "my", "so", "us", "is", "go") and (
        m["ending"][0].isupper() or m["head"][0].isupper()
    ):
        return None
    if m["ending"][0].isupper() and not m["ending"].isupper():
        return None
    return spoken(m[0])


def _dotted_name(m: re.Match[str], place: TokenContext) -> str:
    """ "Node.js", ".NET": names with a dot."""
    return spoken(m[0])


def _handle(m: re.Match[str], place: TokenContext) -> str:
    return f"at {spoken(m[1])}"


def _hashtag(m: re.Match[str], place: TokenContext) -> str:
    return f"hashtag {spoken(m[1])}"


def _code(m: re.Match[str], place: TokenContext) -> str | None:
    return None if SUBSCRIPT.fullmatch(m[0]) else spoken(m[0])


def _camel(m: re.Match[str], place: TokenContext) -> str:
    """camelCase with three parts or more, or with a call: "getUserName()"."""
    return " ".join(label(run) for run in RUN.findall(m[1]))


def _flag(m: re.Match[str], place: TokenContext) -> str | None:
    if len(m[1]) == 1 and (len(m[2]) > 1 or re.search(r"[=+*/(<>]\s?$", place.before())):
        return None
    dashes = " ".join("dash" for c in m[1])
    return f"{dashes} {spoken(m[2]).replace('dash', '')}"


OPERATORS = {
    "==": "equals equals",
    "===": "triple equals", "!=": "not equals", "!==": "not equals", "=>": "arrow", "->": "arrow",
    "&&": "and", "||": "or", "<=": "less than or equal to", ">=": "greater than or equal to", "+=": "plus equals",
    "-=": "minus equals",
    "++": "plus plus", "::": "colon colon", ":=": "colon equals", "<-": "arrow", 
    "//": "slash slash", "<<": "less than less than", ">>": "greater than greater than",
}  # fmt: skip


def _operator(m: re.Match[str], place: TokenContext) -> str:
    return OPERATORS[m[0]]


def _language(m: re.Match[str], place: TokenContext) -> str:
    return f".{m[1].lower()} {'sharp' if m[2] == '#' else 'plus plus'}"


ANY = "[^\\s<>\"“”'’`|{}]"
TLD = "|".join(sorted(TLDS.split(), key=len, reverse=True))
FILE = "|".join(sorted(FILES.split(), key=len, reverse=True))
TAIL = rf"(?:[/?#](?:{ANY}{{0,200}}[\w/=&%+~-])?)?"
RULES: list[Rule] = [
    rule("web", "a", rf"(?<!\w)(?:https?|ftp|wss?|ssh|git|file)://{ANY}{{1,300}}(?<![.,!?;:)])", _address),
    rule("web", "a", rf"(?<!\w)www\.[\w-]{{1,60}}(?:\.[\w-]{{1,60}}){{1,4}}(?::\d{{2,5}})?{TAIL}", _address),
    rule("web", "a0", r"(?<![\w])[\w+-]{1,40}(?:\.[\w+-]{1,40}){0,4}@[\w-]{1,60}(?:\.[A-Za-z][\w-]{1,30}){1,4}", _code),
    rule(
        "web",
        "a0",
        rf"(?<![\w@])(?P<head>[A-Za-z\d][\w-]{{0,60}})(?:\.[\w-]{{1,60}}){{0,4}}\.(?P<ending>(?i:{TLD}))(?![\w-]"
        rf"|\.\w)(?::\d{{2,5}})?{TAIL}",
        _domain,
    ),
    rule(
        "file",
        "a0",
        rf"(?<![\w])[\w-]{{1,60}}(?:\.[\w-]{{1,40}}){{0,3}}\.(?:{FILE}|{FILE.upper()})(?![\w])(?!\.\w)",
        _code,
    ),
    rule("file", "*.", rf"(?<!\w)\*?\.(?:{FILE}|NET|gitignore|bashrc|zshrc)(?!\w)", _code),
    rule(
        "path", "/~.", r"(?<![^\s(\[\"'=])(?:~|\.{1,2})?/[A-Za-z][\w.-]{0,60}(?:/[\w.*-]{1,60}){0,12}/?(?<![.,])", _code
    ),
    rule("path", "a", r"(?<!\w)[A-Za-z]:\\(?:[\w.-]{1,40}(?:[ ][\w.-]{1,40}(?=\\))?\\?){0,12}(?<![.,])", _code),
    rule("web", "a", r"(?<!\w)localhost:\d{2,5}(?:/[\w/.-]{0,60})?(?<![./])", _code),
    rule("path", "a", r"(?<!\w)[\w.-]{1,40}(?:/[\w.-]{1,60}){1,12}/?[\w.-]{0,40}\.(?:" + FILE + r")(?!\w)", _code),
    rule("code", "a", r"(?<![\w.])[a-z_]\w{1,40}(?:\.[a-z_]\w{1,40}){1,6}(?:\(\))?(?![\w.]\w)(?!\w)", _code),
    rule("handle", "@", r"(?<![\w.])@([A-Za-z_][\w.]{0,40})(?<!\.)", _handle),
    rule("hashtag", "#", r"(?<![\w&])#([A-Za-z_]\w{1,60})(?!-?\d)", _hashtag),
    rule("code", "a_", r"(?<!\w)(?=[A-Za-z\d]{0,40}_)[A-Za-z_][\w]{1,80}(?:\(\))?(?!\w)", _code),
    rule("code", "a", r"(?<!\w)([a-z]{2,20}(?:[A-Z][a-z\d]{1,20}){1,6})\(\)", _camel),
    rule("code", "a", r"(?<!\w)([A-Za-z]{2,40})\(\)", lambda m, place: label(m[1])),
    rule("code", "-", r"(?<![\w-])(--?)([A-Za-z][\w-]{0,40})(?<!-)", _flag),
    rule(
        "code",
        "=!&|<>+:-*/",
        "|".join(re.escape(o) for o in sorted(OPERATORS, key=len, reverse=True)),
        lambda m, place: (
            _operator(m, place) if m[0] not in ("//", "<<", ">>", "->") or place.before().endswith(" ") else None
        ),
    ),
    rule("code", "a", r"(?<!\w)([CFJcfj])(#|\+\+)(?![\w#+])", _language),
]
