"""Where lines go: standard error or a file of bounded size that both processes write, in the right format and level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from speechmlx.errors import BadRequest
from speechmlx.log.setup import LogSettings, start

START = "import logging, sys, threading, speechmlx.log as log; s = log.LogSettings.from_text(sys.argv[1]); "


def run(code: str, settings: LogSettings, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START + code, settings.to_text()]
    return subprocess.run(command, capture_output=True, text=True, **more)


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


SPEAK = "[logging.getLogger(n).log(l, n) for n in ('speechmlx.a', 'httpx') for l in (10, 20, 30)]; "


def test_the_level_is_for_its_own_packages_and_others_only_warn() -> None:
    code = f"log.start(s); {SPEAK} logging.getLogger('python_multipart').warning('form')"
    done = run(code, LogSettings("debug", "text"), check=True)
    told = [line[20:] for line in done.stderr.splitlines()]
    assert told == ["DEBUG   speechmlx.a", "INFO    speechmlx.a", "WARNING speechmlx.a", "WARNING httpx: httpx"]


def test_auto_is_json_where_there_is_no_terminal_and_text_on_one() -> None:
    done = run(f"log.start(s, engine=True); {SPEAK}", LogSettings(), check=True)
    assert [(line["level"], line["process"], line["logger"]) for line in parsed(done.stderr)] == [
        ("info", "engine", "speechmlx.a"),
        ("warning", "engine", "speechmlx.a"),
        ("warning", "engine", "httpx"),
    ]
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", 0) as terminal:
        code = START + "log.start(s); logging.getLogger('speechmlx.a').info('seen')"
        subprocess.run([sys.executable, "-c", code, LogSettings().to_text()], stderr=theirs, check=True)
        assert b"INFO    seen" in terminal.read(200)
        os.close(theirs)  # macOS waits here until all is read


def test_a_file_is_private_bounded_and_its_old_parts_are_deleted(tmp_path: Path) -> None:
    settings = LogSettings("info", "auto", str(tmp_path / "new/server.log"), 4000, 2)
    done = run("log.start(s); [logging.getLogger('speechmlx').info('%d', n) for n in range(200)]", settings, check=True)
    assert done.stderr == ""
    files = sorted((tmp_path / "new").iterdir())
    assert [file.name for file in files] == ["server.log", "server.log.1", "server.log.2"]
    assert all(file.stat().st_size < 4000 + 150 and file.stat().st_mode & 0o777 == 0o600 for file in files)
    kept = [line["message"] for file in reversed(files) for line in parsed(file.read_text())]
    assert kept == [str(n) for n in range(200 - len(kept), 200)] and len(kept) > 50


def test_the_engine_goes_on_in_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    code = (
        "log.start(s, engine=True); say = logging.getLogger('speechmlx').info; say('old'); "
        "import os; os.rename(s.file, s.file + '.1'); say('new')"
    )
    run(code, LogSettings("info", "text", str(path)), check=True)
    assert "engine: new" in path.read_text() and "engine: old" in path.with_name("server.log.1").read_text()


def test_exceptions_that_nobody_handles_are_lines_of_the_log() -> None:
    code = (
        "log.start(s)\nthread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()\n"
        "class Bad:\n def __del__(self): raise OSError('a\\nforged')\n"
        "Bad()\nimport warnings; warnings.warn('look\\nout')\nraise ValueError('b\\nforged')"
    )
    done = run(code, LogSettings("info", "text"))
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert all(line.startswith("    ") or line[:2] == "20" for line in lines)
    assert any("the thread Thread-1" in line for line in lines) and "    ZeroDivisionError: division by zero" in lines
    assert any("Exception ignored" in line for line in lines) and any("look\\nout" in line for line in lines)
    assert lines[-2:] == ["    ValueError: b", "    forged"]
    assert len(parsed(run(code, LogSettings()).stderr)) == 4


def test_a_full_disk_is_told_once_and_stops_nobody() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    code = "log.start(s); [logging.getLogger('speechmlx').info('%d', n) for n in range(50)]; print('went on')"
    done = run(code, LogSettings("info", "text", "/dev/full"), check=True)
    assert done.stdout == "went on\n"
    assert done.stderr.count("the log cannot be written, lines are lost: OSError(28") == 1


def test_an_engine_whose_file_is_gone_works_and_says_so(tmp_path: Path) -> None:
    settings = LogSettings("info", "text", str(tmp_path / "a/server.log"))
    code = (
        "import os, shutil; log.start(s, engine=True); say = logging.getLogger('speechmlx').info; say('1'); "
        "shutil.rmtree(os.path.dirname(s.file)); say('2'); say('3'); os.mkdir(os.path.dirname(s.file)); say('4')"
    )
    done = run(code, settings, check=True)
    assert done.stderr.count("the log cannot be written, lines are lost: FileNotFoundError") == 1
    assert [line[20:] for line in Path(settings.file).read_text().splitlines()] == ["INFO    engine: 4"]


def test_a_file_that_cannot_be_renamed_does_not_grow(tmp_path: Path) -> None:
    settings = LogSettings("info", "text", str(tmp_path / "server.log"), 200, 1)
    (tmp_path / "server.log.1").mkdir()  # nothing can be renamed to this
    (tmp_path / "server.log.1/kept").write_text("")
    code = "log.start(s); [logging.getLogger('speechmlx').info('%d', n) for n in range(50)]"
    done = run(code, settings, check=True)
    assert done.stderr.count("the log cannot be written, lines are lost: ") == 1
    assert (tmp_path / "server.log").stat().st_size < 300


def test_a_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file/server.log"):
        with pytest.raises(BadRequest, match=r"log_file = .* cannot be written: .*; name another file"):
            start(LogSettings(file=str(path)))
