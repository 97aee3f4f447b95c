"""Recognition: our Whisper beside its peers on the same weights, a process each; word errors beside every time.

`python -m speechmlx.runtime.worker.blas python tests/bench/asr.py [--quick]`.
(a) an 11 s clip alone, the best of three;
(b) a ten-minute file of clips and Kokoro's speech; (c) eight requests of 10 s at once, until the last is answered.
A system that takes longer than LIMIT for one of them is ended there, and its row says so. Rows are said on standard
error as they come. --quick: the small model, a two-minute file and fewer peers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jiwer
import numpy as np
from asr_material import Recording, clip, long_file, requests
from asr_systems import SYSTEMS, prepare
from report import machine
from rich import box
from rich.console import Console
from rich.table import Table
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.models import catalog, store

MODELS = ("whisper-tiny.en", "whisper-base")
OURS = next(iter(SYSTEMS))
QUICK = (OURS, "mlx-whisper", "faster-whisper float32")
TITLES = {"clip": "(a) 11 s clip", "file": "(b) file", "eight": "(c) 8 requests at once"}
LIMIT = 600.0
"""Seconds for one part: a peer's fallbacks can take it many times the length of the audio."""


@dataclass(frozen=True)
class Row:
    """One system on one part; `ratio` is how many times our time it took. Ended at LIMIT: no `word_errors`."""

    model: str
    part: str
    system: str
    audio_seconds: float
    seconds: float
    cpu_seconds: float | None
    word_errors: float | None
    ratio: float

    def cells(self) -> tuple[str, ...]:
        over = "over " if self.word_errors is None else ""
        errors = "ended" if self.word_errors is None else f"{self.word_errors:.2%}"
        real_time = self.seconds / self.audio_seconds
        return self.system, f"{over}{self.seconds:.2f} s", f"{over}{real_time:.3f}", errors, f"{over}{self.ratio:.2f}x"


def measure(system: str, folder: Path, material: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part as it is done, and the seconds it took and the texts; no texts for one that took over LIMIT."""
    command = [sys.executable, str(Path(__file__).with_name("asr_systems.py")), system, str(folder), str(material)]
    part, limit = "", threading.Timer(LIMIT, sys.exit)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if "begun" in found:
                part, limit = found["begun"], threading.Timer(LIMIT, process.kill)
                limit.start()
            elif "texts" in found:
                limit.cancel()
                part = ""
                yield found["part"], found
    if part and limit.finished.is_set():
        yield part, {"seconds": LIMIT, "cpu_seconds": None, "texts": None}
    elif process.returncode:
        raise SystemExit(f"{system} ended with status {process.returncode}")


def compare(model: str, systems: tuple[str, ...], parts: dict[str, list[Recording]]) -> list[Row]:
    normal = EnglishTextNormalizer()
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        out = Path(folder)
        folders = prepare(store.fetch(catalog.CATALOG.resolve(model), store.cache_folder()), out)
        material = out / "material.npz"
        arrays = {f"{part}.{i}": one.samples for part, found in parts.items() for i, one in enumerate(found)}
        counts = json.dumps({part: len(found) for part, found in parts.items()})
        np.savez(material, parts=np.array(counts), **arrays)  # type: ignore[arg-type]
        for system in systems:
            for part, took in measure(system, folders[SYSTEMS[system][0]], material):
                words = [normal(one.words) for one in parts[part]]
                wrong = jiwer.wer(words, [normal(text) for text in took["texts"]]) if took["texts"] else None
                our = next((row.seconds for row in rows if row.part == part), took["seconds"])
                audio = sum(one.seconds for one in parts[part])
                times = took["seconds"], took["cpu_seconds"]
                rows.append(Row(model, part, system, audio, *times, wrong, took["seconds"] / our))
                sys.stderr.write(f"{model} {TITLES[part]}: {'  '.join(rows[-1].cells())}\n")
    return rows


def show(rows: list[Row]) -> None:
    for model in dict.fromkeys(row.model for row in rows):
        table = Table(title=f"Recognition, {model}", title_justify="left", box=box.SIMPLE_HEAD)
        for column in ("", "time", "time / audio", "word errors", "time / ours"):
            table.add_column(column, justify="right" if column else "left", overflow="fold")
        for part, title in TITLES.items():
            mine = [row for row in rows if (row.model, row.part) == (model, part)]
            table.add_row(f"{title}, {mine[0].audio_seconds:.0f} s of audio")
            for row in mine:
                system, *cells = row.cells()
                table.add_row(f"  {system}", *cells)
        Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small model, a two-minute file and fewer peers")
    quick = parser.parse_args().quick
    parts = {"clip": [clip("jfk")], "eight": requests(8, 10.0), "file": [long_file(120 if quick else 600)]}
    models = MODELS[:1] if quick else MODELS
    rows = [row for model in models for row in compare(model, QUICK if quick else tuple(SYSTEMS), parts)]
    show(rows)
    sys.stdout.write(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}) + "\n")


if __name__ == "__main__":
    main()
