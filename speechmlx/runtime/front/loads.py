"""What the log says of models: loading, loaded and in what time, unloaded."""

from __future__ import annotations

import logging
import time

from speechmlx.runtime.ipc.messages import Memory

log = logging.getLogger(__name__)


class Loads:
    """Told of the engine process's memory whenever it changes."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._began: dict[str, float] = {}

    def tell(self, memory: Memory) -> None:
        """Log what came and went since it was last told."""
        now = time.monotonic()
        for held in memory.models:
            if held.name not in self._states:
                self._began[held.name] = now
                log.info("loading %s", held.name)
            if held.state == "loaded" != self._states.get(held.name):
                seconds = now - self._began[held.name]
                log.info("loaded %s, %.0f MB, in %.2f s", held.name, held.nbytes / 1e6, seconds)
        states = {held.name: held.state for held in memory.models}
        for name in self._states.keys() - states.keys():
            log.info("unloaded %s" if self._states[name] == "loaded" else "not loaded: %s", name)
        self._states = states
