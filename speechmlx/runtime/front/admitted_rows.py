"""The admitted models as a server knows them: read in a thread, so that no slow disk holds up the event loop."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

from speechmlx.models.spec import Catalog
from speechmlx.runtime.front.apart import apart

PERIOD = 1.0
"""Seconds between two looks for what other processes, such as `audio-server pull`, admit or forget."""


class AdmittedRows:
    """Remembers the admitted rows of `known`. `catalog` has them instead of reading them for each request."""

    def __init__(self, known: Catalog) -> None:
        """Reads them once."""
        self._read, self._rows = known.admitted, known.admitted()
        self._reading = threading.Lock()
        self.catalog = replace(known, admitted=lambda: self._rows, look_again=self.look)

    def look(self) -> None:
        """Read them, in any thread but the event loop's."""
        with self._reading:  # who began earlier must not write later
            self._rows = self._read()

    async def run(self) -> None:
        """Look again and again until cancelled, in one thread: the event loop does not wake for it."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(PERIOD):
                with suppress(OSError):  # a folder that cannot be read: what was known stays
                    self.look()

        try:
            await apart(look, "admission")
        finally:
            over.set()
