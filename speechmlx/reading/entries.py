"""Reads the entries of a lexicon: of the file lexicon.toml, or of a request's `pronunciations`."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speechmlx import languages
from speechmlx.errors import BadRequest
from speechmlx.reading.lexicon import folded
from speechmlx.types import Pronunciation

ANY = "any"
"""The table of entries for every language."""
MOST = 2000
"""Entries of a file, at most."""
MOST_ASKED = 100
"""Entries of a request, at most."""
LONGEST_SPELLING, LONGEST_SAID = 100, 200
"""Characters."""
FIELDS = ("sounds_like", "phonemes")
WRITTEN = 'write it like "Nguyen" = "win" or "Siobhan" = {phonemes = "ʃəvˈɔn"}'
ASKED = 'write it like {"Nguyen": "win", "Siobhan": {"phonemes": "ʃəvˈɔn"}}'
BETWEEN = "'- "
"""Marks that words of `sounds_like` may have."""


def read_lexicon(path: Path) -> tuple[Pronunciation, ...]:
    """The entries of a lexicon file, those of a region before those of a language, and those before any language's.

    The file is TOML: a table for each language, or [any]. Raises BadRequest, which names the line.
    """
    try:
        text = path.read_text("utf-8-sig")
        tables = tomllib.loads(text)
    except OSError as error:
        raise BadRequest(f"the lexicon {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the lexicon {path} is not TOML: {error}; names with blanks or signs need quotes") from error
    found = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            where = f"{path}, line {_line(text, '', name)}"
            raise BadRequest(f"{where}: {name!r} is in no table; begin with one for its language, like [en]")
        try:
            language = _language(name)
        except BadRequest as error:
            raise BadRequest(f"{path}, line {_line(text, name, '')}: {error}") from None
        for spelling, said in table.items():
            try:
                found.append(_entry(spelling, said, language, WRITTEN))
            except BadRequest as error:
                raise BadRequest(f"{path}, line {_line(text, name, spelling)}: {error}") from None
    if len(found) > MOST:
        raise BadRequest(f"the lexicon {path} has {len(found)} entries; the limit is {MOST}")
    return tuple(sorted(found, key=lambda entry: -len(entry.language.split("-")) if entry.language else 0))


def read_entries(value: Any) -> tuple[Pronunciation, ...]:
    """The entries in a request: {spelling: sounds like}, {spelling: {"phonemes": ...}}, or a list of objects.

    An object of the list has "spelling" beside "sounds_like" or "phonemes". Each may have a "language". Raises
    BadRequest.
    """
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        items = [(item.get("spelling"), {name: item[name] for name in item if name != "spelling"}) for item in value]
    else:
        raise BadRequest(f"'pronunciations' must be an object or a list of objects, not {value!r:.80}; {ASKED}")
    if len(items) > MOST_ASKED:
        raise BadRequest(f"'pronunciations' has {len(items)} entries; the limit is {MOST_ASKED}")
    found = []
    for number, (spelling, said) in enumerate(items, 1):
        try:
            language = ""
            if isinstance(said, Mapping) and "language" in said:
                language = _language(said["language"])
                said = {name: said[name] for name in said if name != "language"}
            found.append(_entry(spelling, said, language, ASKED))
        except BadRequest as error:
            raise BadRequest(f"'pronunciations', entry {number}: {error}") from None
    return tuple(found)


def _entry(spelling: Any, said: Any, language: str, example: str) -> Pronunciation:
    if not isinstance(spelling, str) or not any(map(str.isalnum, spelling)):
        raise BadRequest(f"{spelling!r:.80} is no spelling of a word or a phrase; {example}")
    if len(spelling) > LONGEST_SPELLING:
        raise BadRequest(f"{spelling!r:.80} has {len(spelling)} characters; the limit is {LONGEST_SPELLING}")
    fields = {"sounds_like": said} if isinstance(said, str) else said
    if not isinstance(fields, Mapping) or len(fields) != 1 or next(iter(fields)) not in FIELDS:
        allowed = "text, {sounds_like = text} or {phonemes = text}"
        raise BadRequest(f"{spelling!r} is {said!r:.80}; allowed is {allowed}; {example}")
    name, text = next(iter(fields.items()))
    if not isinstance(text, str) or not any(map(str.isalpha, text)):
        raise BadRequest(f"{name} of {spelling!r} is {text!r:.80}, which has no letters; {example}")
    if len(text) > LONGEST_SAID:
        raise BadRequest(f"{name} of {spelling!r} has {len(text)} characters; the limit is {LONGEST_SAID}")
    if name == "phonemes":
        return Pronunciation(spelling.strip(), phonemes=_phonemes(spelling, text), language=language)
    return Pronunciation(spelling.strip(), sounds_like=_words(spelling, text), language=language)


def _words(spelling: str, text: str) -> str:
    """The words of `sounds_like`, one blank between two. Raises BadRequest."""
    words = " ".join(folded(text).split())
    if wrong := next((c for c in words if not _is_letter(c) and c not in BETWEEN), None):
        allowed = "letters, apostrophes, hyphens and blanks (numbers as words)"
        raise BadRequest(f"sounds_like of {spelling!r} has {wrong!r}; allowed are {allowed}")
    return words


def _phonemes(spelling: str, text: str) -> str:
    """The phonemes, as they are written. Raises BadRequest for some that no voice can say."""
    from speechmlx.reading.pronunciation.alphabet import given  # here: its package takes long to import

    try:
        given(text)
    except BadRequest as error:
        raise BadRequest(f"phonemes of {spelling!r}: {error}") from None
    return text.strip()


def _is_letter(character: str) -> bool:
    """Whether it is a letter, or a mark on one."""
    return unicodedata.category(character)[0] in "LM"


def _language(name: Any) -> str:
    """The tag of a table's language; "" for any. Raises BadRequest."""
    asked = name.strip().lower() if isinstance(name, str) else ""
    if asked == ANY:
        return ""
    tag = languages.tag(asked) if asked else ""
    if not tag or languages.match(tag, languages.NAMES) is None:
        raise BadRequest(f"{name!r:.80} is no language; write a code like en, en-gb or fr, or {ANY} for every language")
    return tag


def _line(text: str, table: str, spelling: str) -> int:
    """The line of an entry, or of the head of its table where `spelling` is "". 1 where it is written otherwise."""
    head = 1
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        parsed = dict(_parsed(line))
        if line.lstrip().startswith("["):
            current = next(iter(parsed), current)
            head = number if current == table else head
        elif current == table and spelling and spelling in parsed:
            return number
    return head


def _parsed(line: str) -> Iterator[tuple[str, Any]]:
    """The keys and values of one line of TOML; nothing of a line that is a part of a longer value."""
    try:
        yield from tomllib.loads(line).items()
    except tomllib.TOMLDecodeError:
        return
