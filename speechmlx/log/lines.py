"""What a record looks like in the log: text for people or JSON for programs, one line each, without secrets.

All that others wrote (paths, errors of other servers, exceptions) goes through here, so no call has to think of it.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from speechmlx.log.record import current, request_ids

OWN = ("speechmlx", "__main__")
MAX_MESSAGE = 8192
"""Characters of a message in the log."""
MAX_TRACEBACK = 32768
"""Characters of a traceback in the log; its end is kept, which says what was wrong."""
HIDDEN = "***"

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What begins a line, moves the cursor or changes the direction of text, and halves of characters."""

SECRETS = (
    (re.compile(r"(?<=://)[^/\s@]{1,512}@"), f"{HIDDEN}@"),
    (re.compile(r"([?&][\w.\[\]-]{1,64}=)[^&\s\"'<>#]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s{1,4}|authorization[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:\w{1,16}\s)?)[\w.~+/=-]{6,}"),
     rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:x-)?api[-_]?key|(?:access|refresh)[-_]token|client[-_]secret|password|secret|token)"
                r"([\"']?\s{0,2}[:=]\s{0,2}[\"']?)[^\s\"',;&)]{4,}"), rf"\1\2{HIDDEN}"),
    (re.compile(r"\b(?:sk|ek|smx|hf)[-_][A-Za-z0-9_-]{12,}"), HIDDEN),
)  # fmt: skip
"""What a secret looks like, and what stands in its place: passwords and values of queries in URLs, keys by the name
before them, and keys that have a mark of their own. Each takes time linear in the length."""
SIGNS: tuple[str, ...] = ("@", "?", "&", "bearer", "authorization", "key", "token", "secret", "password")
SIGNS += tuple(f"{mark}{sign}" for mark in ("sk", "ek", "smx", "hf") for sign in "-_")
"""One of these is in every text that SECRETS match, in small letters: few lines are searched further."""
SHORTEST = 6
"""Characters from which on a secret that is known is looked for: a shorter one is part of too many words."""


class Hiding:
    """Takes secrets out of text: those that look like one, and `known` ones."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        long = sorted((text for text in known if len(text) >= SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(text) for text in long)) if long else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        lowered = text.lower()
        if any(sign in lowered for sign in SIGNS):
            for pattern, shown in SECRETS:
                text = pattern.sub(shown, text)
        return text


class TextLines(logging.Formatter):
    """Time, level and message on one line, with control characters escaped. A traceback follows on indented lines.

    The id of the request that the line is about stands at its end. `source` is written before every message.
    """

    def __init__(self, source: str = "", hide: Hiding | None = None) -> None:
        super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
        self._source = source
        self._hide = hide or Hiding()

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        name = "" if record.name.partition(".")[0] in OWN else f"{record.name}: "
        ids = _ids(record)
        text = getattr(record, "text", None) or message(record)
        first = f"{self.formatTime(record, self.datefmt)} {record.levelname:<7} {self._source}{name}"
        first += escape(self._hide(bounded(text))) + (f" [{escape(ids)}]" if ids else "")
        return "\n".join([first, *(f"    {escape(line)}" for line in self._traceback(record))])

    def _traceback(self, record: logging.LogRecord) -> list[str]:
        found = traceback_of(self, record)
        return self._hide(found).split("\n") if found else []


class JsonLines(logging.Formatter):
    """One object of JSON a line, in ASCII: `time` (UTC), `level`, `process`, `logger`, `message`, and what is known."""

    def __init__(self, process: str = "server", hide: Hiding | None = None) -> None:
        super().__init__()
        self._process = process
        self._hide = hide or Hiding()

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": self._hide(bounded(message(record))),
        }
        if ids := _ids(record):
            line["request_id"] = ids
        if (about := current()) is not None and about.trace_id:
            line["trace_id"] = about.trace_id
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        line.update((name, self._shown(value)) for name, value in fields.items() if value is not None)
        if found := traceback_of(self, record):
            line["traceback"] = self._hide(found)
        return _encoder.encode(line)

    def _shown(self, value: object) -> object:
        return self._hide(bounded(value)) if isinstance(value, str) else value


_encoder = json.JSONEncoder(default=str, separators=(",", ":"))


def _ids(record: logging.LogRecord) -> str:
    return getattr(record, "request_id", None) or request_ids()


def message(record: logging.LogRecord) -> str:
    """The message of a record, also where its arguments do not fit: nothing is lost for a wrong call."""
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg!s} {record.args!r}"


def traceback_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The end of a record's traceback and stack; "" without one."""
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    parts += [record.stack_info] if record.stack_info else []
    text = "\n".join(parts)
    return text if len(text) <= MAX_TRACEBACK else f"... {len(text)} characters\n{text[-MAX_TRACEBACK:]}"


def bounded(text: str) -> str:
    """The beginning of a text that is too long for the log."""
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}... ({len(text)} characters)"


def escape(text: str) -> str:
    """`text` on one line, with control characters as Python escapes."""
    if text.isprintable():
        return text
    return CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
