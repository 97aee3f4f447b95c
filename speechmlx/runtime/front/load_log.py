"""LoadLog: log lines for models that load, are loaded (size and duration) and are unloaded."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from speechmlx.runtime.ipc.messages import MemoryReport

log = logging.getLogger(__name__)


class LoadLog:
    """Compares each MemoryReport with the one before it."""

    def __init__(self) -> None:
        self._states: Mapping[str, str] = {}
        self._began: dict[str, float] = {}

    def update(self, report: MemoryReport) -> None:
        """Log what changed since the last report."""
        now = time.monotonic()
        for model in report.models:
            if model.name not in self._states:
                self._began[model.name] = now
                log.info("loading %s", model.name)
            if model.state == "loaded" != self._states.get(model.name):
                seconds = now - self._began[model.name]
                log.info("loaded %s, %.0f MB, in %.2f s", model.name, model.nbytes / 1e6, seconds)
        states = {model.name: model.state for model in report.models}
        for name in self._states.keys() - states.keys():
            log.info("unloaded %s" if self._states[name] == "loaded" else "not loaded: %s", name)
        self._states = states
