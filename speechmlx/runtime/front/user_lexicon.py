"""Adds the user's lexicon to requests: how its words are said to synthesis, its names to recognition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from speechmlx.config import Config
from speechmlx.types import Listen, Pronunciation, Request, Synthesis, Transcribe


def load_entries(config: Config) -> tuple[Pronunciation, ...]:
    """The entries of the configured lexicon; () without one. Raises BadRequest."""
    if config.lexicon is None:
        return ()
    from speechmlx.reading.entries import read_lexicon  # here: most servers have none

    return read_lexicon(config.lexicon)


def with_lexicon(request: Request, entries: tuple[Pronunciation, ...]) -> Request:
    """`request` with the entries that it can use. Its own pronunciations and names come first."""
    changes: dict[str, Any] = {}
    if entries and isinstance(request, Synthesis):
        changes["pronunciations"] = (*request.pronunciations, *entries)
    elif entries and isinstance(request, Transcribe | Listen):
        changes["names"] = names([*request.names, *names_of(entries, request.language)], request.hotwords)
    return replace(request, **changes) if changes else request


def names_of(entries: tuple[Pronunciation, ...], language: str | None) -> list[str]:
    """The spellings of `entries`, without those of another language than `language` (None: of all)."""
    code = (language or "").partition("-")[0].lower()
    return [entry.spelling for entry in entries if not code or entry.language.partition("-")[0] in ("", code)]


def names(wanted: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """`wanted`, each once and none that is `known`."""
    return tuple(name for name in dict.fromkeys(wanted) if name not in known)
