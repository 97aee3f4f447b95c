"""The log on standard error: one line per record, with time and level. Text from clients cannot forge a line."""

from __future__ import annotations

import logging
import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
OWN = ("speechmlx", "__main__")


def start(level: str, source: str = "") -> None:
    """Start logging at `level`. Other packages log warnings and errors only: the rest may contain addresses and keys.

    `source` is written before every message.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(source))
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form; the client is told


class Lines(logging.Formatter):
    """Time, level and message on one line, with control characters escaped. A traceback follows on indented lines."""

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
    """`text` on one line, with control characters as Python escapes."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
