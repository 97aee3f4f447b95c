"""Checks the coverage that `scripts/test unit` measured: of all but engines, and of each module that only computes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from coverage import Coverage

TOTAL = 84.5
"""Percent of the lines and branches outside ENGINES that tests/unit run. Raise it when it is above; never lower it."""
ENGINES = "*/speechmlx/engines/*"
"""What tests/engines run."""
LINUX = ("*/runtime/worker/blas.py", "*/runtime/worker/cpu_time.py", "*/runtime/worker/threads.py")
"""What runs on Linux alone: elsewhere it is left out."""
PURE = 90.0
"""Percent for each module in PURE_MODULES."""
PURE_MODULES = (
    "audio/sniff.py",
    "conversation/input/endpointing.py",
    "conversation/items/playout.py",
    "conversation/llm/context.py",
    "engines/ecapa/clustering.py",
    "engines/ecapa/labelling.py",
    "engines/ecapa/online.py",
    "engines/whisper/decoding/quality.py",
    "engines/whisper/streaming/commit_policy.py",
    "languages.py",
    "names.py",
    "reading/sentences.py",
    "runtime/ipc/framing.py",
    "runtime/worker/scheduler.py",
    "speakers.py",
)
"""Below speechmlx/: modules without I/O, a model or a process."""


def main() -> int:
    """Print the report and each figure below its floor; 1 if there is one."""
    root = Path(__file__).parents[1]
    coverage = Coverage(config_file=str(root / "pyproject.toml"))
    coverage.load()
    omitted = [ENGINES] if sys.platform == "linux" else [ENGINES, *LINUX]
    percents = {"all but engines": (coverage.report(omit=omitted, skip_covered=True), TOTAL)}
    for module in PURE_MODULES:
        path = root / "speechmlx" / module
        percent = coverage.report(include=[str(path)], file=io.StringIO()) if path.exists() else 0.0
        percents[module] = (percent, PURE)
    below = [f"{name}: {value:.1f} %, not {floor}" for name, (value, floor) in percents.items() if value < floor]
    print("\n".join(below), file=sys.stderr)
    return len(below) > 0


if __name__ == "__main__":
    sys.exit(main())
