"""docs/logs.md: its fields, numbers and example lines are those of the code, and its example of a program runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from speechmlx.config import Config
from speechmlx.log.lines import JsonLines, TextLines
from speechmlx.log.record import MAX_TRANSCRIPT, RequestRecord
from speechmlx.log.setup import LogSettings
from speechmlx.protocols.http.request_id import GIVEN
from speechmlx.protocols.http.traffic import MAX_PATH, facts

ROOT = Path(__file__).parents[2]
LOGS = (ROOT / "docs/logs.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", LOGS, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def documented() -> set[str]:
    table = LOGS[LOGS.index("| field | what it says |") :].split("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))


def test_every_field_of_the_code_is_documented_and_no_other() -> None:
    code = "".join(
        (ROOT / "speechmlx" / path).read_text()
        for path in (
            "log/lines.py",
            "protocols/http/traffic.py",
            "protocols/live_meter.py",
            "protocols/wyoming/connection.py",
            "conversation/response/response.py",
        )
    )
    assert set(facts(RequestRecord("a"))) <= documented()
    for field in documented() - {"transcript_s", "first_token_s", "total_s"}:  # made of the names of Stages
        assert f'"{field}"' in code, field
    assert set(json.loads(block("json"))) <= documented()


def test_the_example_lines_are_of_the_formats() -> None:
    line = json.loads(block("json"))
    assert block("json") == json.dumps(line, separators=(",", ":")) + "\n"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO    [^\n]+ \[build-7\.tone\]\n", block("text"))
    assert GIVEN.fullmatch(line["request_id"].encode()) and TextLines() and JsonLines()


def test_the_program_adds_up_seconds_by_key(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(block("json") * 3 + '{"message":"stopped"}\n')
    run = subprocess.run([sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[('laptop', 3.0)]\n", "")


def test_numbers_are_those_of_the_code() -> None:
    config = Config()
    assert config.log == LogSettings()
    assert f"`log_file_size` ({config.log_file_size / 1e6:g} MB)" in LOGS
    assert f"`log_files_kept` ({config.log_files_kept})" in LOGS
    assert f"({MAX_TRANSCRIPT:,} characters)" in LOGS and f"without the query; {MAX_PATH} characters" in LOGS
