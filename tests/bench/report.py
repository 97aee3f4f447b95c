"""What every benchmark prints: rows of ours beside a peer's, lower is better, and the machine they were taken on."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

PACKAGES = ("speechmlx", "mlx", "mlx-audio", "mlx-whisper", "mlx-lm", "starlette", "hypercorn")


@dataclass(frozen=True)
class Row:
    """One measurement; `peer` is None where there is nothing to compare with."""

    what: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times the peer takes of what we take: over 1 we are better."""
        return self.peer / self.ours if self.peer is not None and self.ours else None

    def cells(self) -> tuple[str, str, str, str]:
        """What, ours, the peer's and the ratio, as text."""
        peer = "" if self.peer is None else f"{_number(self.peer)} {self.unit} ({self.peer_name})"
        return self.what, f"{_number(self.ours)} {self.unit}", peer, "" if self.ratio is None else f"{self.ratio:.2f}x"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, str]:
    """The machine and the versions, for people to judge the numbers by."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((line.split(":")[1].strip() for line in info.open() if line.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def show(title: str, rows: Sequence[Row]) -> None:
    """Prints the rows as a table, and then as one line of JSON."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("", "ours", "peer", "peer / ours"):
        table.add_column(column, justify="right" if column else "left", overflow="fold")
    for row in rows:
        table.add_row(*row.cells())
    Console().print(table)
    sys.stdout.write(json.dumps({"rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}) + "\n")
