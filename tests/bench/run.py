"""`scripts/bench`: runs the benchmarks in turn, each a process of its own, and keeps what they said beside the machine.

A benchmark is `tests/bench/PART.py [--quick]`: it prints its table and, last, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from report import machine

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "docs/benchmarks.md"
BLAS = [sys.executable, "-m", "speechmlx.runtime.worker.blas"]
PARTS = {
    "asr": BLAS,
    "live": BLAS,
    "tts": BLAS,
    "answers": BLAS,
    "talkers": BLAS,
    "reading": BLAS,
    "enhance": BLAS,
    "server": [],
    "streams": [],
    "realtime": [],
    "wires": [],
    "hour": [],
    "diarization": BLAS,
    "kernels": BLAS,
}
"""What each is run through: engines want the BLAS of the engine process, servers start with their own."""
WIDTH = "118"
BEGIN, END = "<!-- scripts/bench --markdown writes from here -->", "<!-- to here -->"
COUNTED = {
    "kernels": ("<!-- scripts/bench kernels --markdown writes from here -->", "<!-- to here: kernels -->"),
    "talkers": ("<!-- scripts/bench talkers --counts --markdown writes from here -->", "<!-- to here: talkers -->"),
}
"""Where the tables of counts are written, which are the same on every machine; of talkers with --counts alone."""
TABLE = re.compile(r"`(scripts/bench [^`]+)`\n\n```text\n(.*?)\n```", re.DOTALL)


def run(part: str, flags: list[str], tree: Path = ROOT) -> tuple[str, dict[str, Any]]:
    """What a benchmark of the revision in `tree` printed before its JSON, and the JSON. Raises when it fails."""
    command = [*PARTS[part], sys.executable, str(Path(__file__).with_name(f"{part}.py")), *flags]
    environment = os.environ | {"COLUMNS": WIDTH, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT / 'tests'}"}
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
            text = "\n".join(line.rstrip() for line in printed[:start].splitlines())
            return text.strip("\n"), json.loads(printed[start:])
        except ValueError:
            continue
    raise SystemExit("a benchmark printed no JSON at its end")


def markdown(document: str, where: dict[str, str], tables: dict[str, str]) -> str:
    """`document` with these tables, by the commands that made them, in the place of its own of the same parts.

    Raises SystemExit where others, taken on another machine or with other versions, would stay beside them.
    """
    before, _, rest = document.partition(BEGIN)
    old, _, after = rest.partition(END)
    machine_line = ", ".join(f"{name} {value}" for name, value in where.items() if name not in ("cpu", "load before"))
    taken = f"on {where['cpu']}: {machine_line}."
    stay = {command: text for command, text in TABLE.findall(old) if _part(command) not in map(_part, tables)}
    if stay and taken not in old:
        raise SystemExit(f"tables of another machine are there: {', '.join(stay)}; take all of them here")
    all_tables = sorted((stay | tables).items(), key=lambda one: list(PARTS).index(_part(one[0])))
    head = f"Taken {time.strftime('%Y-%m-%d')} {taken}\n"
    new = "\n".join([head, *(f"`{command}`\n\n```text\n{text}\n```\n" for command, text in all_tables)])
    return f"{before}{BEGIN}\n\n{new}\n{END}{after}"


def counted(document: str, part: str, versions: str, table: str) -> str:
    """`document` with this table of counts between the marks of its part."""
    begin, end = COUNTED[part]
    before, _, rest = document.partition(begin)
    _, _, after = rest.partition(end)
    new = f"Counted {time.strftime('%Y-%m-%d')} with {versions}.\n\n```text\n{table}\n```"
    return f"{before}{begin}\n\n{new}\n\n{end}{after}"


def _part(command: str) -> str:
    return command.split()[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=[*PARTS, "all"])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--counts", action="store_true", help="talkers: counts alone, the same on every machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--markdown", action="store_true", help="write the tables into docs/benchmarks.md")
    parser.add_argument("--tree", type=Path, metavar="PATH", default=ROOT, help="measure the revision that is there")
    args = parser.parse_args()
    if args.counts and args.part != "talkers":
        parser.error("--counts is for talkers; kernels are counts always")
    flags = [*["--quick"] * args.quick, *["--counts"] * args.counts]
    where = machine()
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in where.items()))
    printed = {part: run(part, flags, args.tree.resolve()) for part in (PARTS if args.part == "all" else [args.part])}
    if args.json:
        found = {"machine": where, **{part: values for part, (_, values) in printed.items()}}
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if args.markdown:
        versions = ", ".join(f"{name} {where[name]}" for name in ("speechmlx", "mlx", "mlx-audio", "mlx-lm"))
        for part in COUNTED.keys() & printed.keys() - ({"talkers"} if not args.counts else set()):
            TABLES.write_text(counted(TABLES.read_text(), part, versions, printed.pop(part)[0]))
    if args.markdown and printed:
        tables = {" ".join(("scripts/bench", part, *flags)): text for part, (text, _) in printed.items()}
        TABLES.write_text(markdown(TABLES.read_text(), where, tables))


if __name__ == "__main__":
    main()
