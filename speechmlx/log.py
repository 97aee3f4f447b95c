"""The log: a line per record with its time and level, on standard error. What others sent cannot forge a line."""

from __future__ import annotations

import logging
import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
OWN = ("speechmlx", "__main__")


def start(level: str, source: str = "") -> None:
    """Log from `level` on; other packages' warnings and errors only, whose chatter may hold addresses and keys.

    `source` goes before every message.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(source))
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form; the client is told


class Lines(logging.Formatter):
    """Time, level, message. Control characters are escaped; a traceback follows on lines set in."""

    def __init__(self, source: str = "") -> None:
        super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
        self._source = source

    def format(self, record: logging.LogRecord) -> str:
        name = "" if record.name.partition(".")[0] in OWN else f"{record.name}: "
        lines = [f"{self.formatTime(record, self.datefmt)} {record.levelname:<7} {self._source}{name}"]
        lines[0] += escape(record.getMessage())
        if record.exc_info:
            lines += [f"    {escape(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


def escape(text: str) -> str:
    """`text` on one line: control characters as Python writes them."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
