"""`scripts/bench`: runs the benchmarks in turn, each a process of its own, and keeps what they said beside the machine.

A benchmark is `tests/bench/PART.py [--quick]`: it prints its table and, last, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from report import machine

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BLAS = [sys.executable, "-m", "speechmlx.runtime.blas"]
PARTS = {"asr": BLAS, "live": BLAS, "tts": BLAS, "enhance": BLAS, "server": [], "streams": [], "realtime": []}
"""What each is run through: engines want the BLAS of the engine process, servers start with their own."""
WIDTH = "118"
BEGIN, END = "<!-- scripts/bench all --markdown writes from here -->", "<!-- to here -->"


def run(part: str, quick: bool) -> tuple[str, dict[str, Any]]:
    """What a benchmark printed before its JSON, and the JSON. Raises when it fails."""
    command = [*PARTS[part], sys.executable, str(Path(__file__).with_name(f"{part}.py")), *["--quick"] * quick]
    environment = os.environ | {"COLUMNS": WIDTH, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            sys.stdout.write(line)
            lines.append(line)
    if process.returncode:
        raise SystemExit(f"the {part} benchmark ended with status {process.returncode}")
    return split("".join(lines))


def split(printed: str) -> tuple[str, dict[str, Any]]:
    """Text and the JSON object at its end, on one line or several."""
    starts = [0] * printed.startswith("{") + [at + 1 for at in range(len(printed)) if printed.startswith("\n{", at)]
    for start in starts:
        try:
            return printed[:start].strip("\n"), json.loads(printed[start:])
        except ValueError:
            continue
    raise SystemExit("a benchmark printed no JSON at its end")


def markdown(where: dict[str, str], tables: dict[str, str]) -> str:
    machine_line = ", ".join(f"{name} {value}" for name, value in where.items() if name != "cpu")
    head = f"Taken {time.strftime('%Y-%m-%d')} on {where['cpu']}: {machine_line}.\n"
    return "\n".join([head, *(f"`scripts/bench {part}`\n\n```text\n{text}\n```\n" for part, text in tables.items())])


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=[*PARTS, "all"])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--markdown", action="store_true", help="write the tables into README.md")
    args = parser.parse_args()
    where = machine()
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in where.items()))
    printed = {part: run(part, args.quick) for part in (PARTS if args.part == "all" else [args.part])}
    if args.json:
        found = {"machine": where, **{part: values for part, (_, values) in printed.items()}}
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.markdown:
        before, _, rest = README.read_text().partition(BEGIN)
        tables = markdown(where, {part: text for part, (text, _) in printed.items()})
        README.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
