"""README, docs/ and CONTRIBUTING: the tables are the program's, an engine and a protocol are as extending.md says.

tests/docs has the tests of commands, links and the tables of the catalog.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from starlette.applications import Starlette

from speechmlx.config import Config
from speechmlx.engines import LoadOptions
from speechmlx.errors import BadRequest
from speechmlx.models import store
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.reading.preview import words_of
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Speak, Usage

Folder = Callable[[str], Path]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXTENDING = (ROOT / "docs/extending.md").read_text()
CONFIGURATION = ROOT / "docs/configuration.md"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks in `language` under a heading of extending.md."""
    section = re.split(rf"^#+ {heading}$", EXTENDING, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ \w", re.sub(r"^# ", "#", section, flags=re.MULTILINE), flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)


def table(header: str, text: str = README) -> list[list[str]]:
    """Cells of the table that starts with the line `header`."""
    lines = text[text.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def module(name: str, code: str, folder: Path) -> ModuleType:
    file = folder / f"{name}.py"
    file.write_text(code)
    return module_of(file)


def module_of(file: Path) -> ModuleType:
    spec = spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_script_is_named() -> None:
    scripts = {f"scripts/{file.name}" for file in (ROOT / "scripts").iterdir() if file.is_file() and not file.suffix}
    assert {
        row[0].strip("`")
        for row in table("| | |\n|---|---|\n| `scripts/install`", (ROOT / ".github/CONTRIBUTING.md").read_text())
    } == scripts


def test_flags_and_defaults_are_those_of_the_program() -> None:
    command = [str(Path(sys.executable).with_name("audio-server")), "serve", "--help"]
    text = " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    program = dict(re.findall(r"(--[a-z0-9-]+) (?:(?! --).)*?\[default: (.*?)\]", text))
    reference = CONFIGURATION.read_text()
    rows = [(row[1], row[3]) for row in table("| setting | flag |", reference)]
    rows += [(row[1], row[2]) for row in table("| key in `[models]` |", reference)]
    documented = {flag.strip("`"): default for flag, default in rows if flag}
    assert documented == {flag: default for flag, default in program.items() if flag != "--config"}
    named = {row[0].strip("`"): row[1] for row in table("| flag | default |")}
    assert named.items() <= program.items()


def test_configuration_is_what_the_script_writes() -> None:
    script = module_of(ROOT / "scripts/docs.py")
    assert CONFIGURATION.read_text() == script.configuration(), "run scripts/docs"


def test_texts_are_read_as_the_documentation_says() -> None:
    rows = table("| text | words |", (ROOT / "docs/reading.md").read_text())
    assert len(rows) > 5 and [words_of(text, None) for text, _ in rows] == [words for _, words in rows]


def test_engine_example_is_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_code, row_code = blocks("Add an engine", "python")
    beeper = module("beeper", engine_code, tmp_path)
    monkeypatch.setitem(sys.modules, "speechmlx.engines.beeper", beeper)
    row = module("row", row_code, tmp_path).BEEPER
    loading = beeper.load(store.fetch(row, tmp_path / "cache"), LoadOptions())
    with pytest.raises(StopIteration) as loaded:  # noqa: PT012 - the engine comes with StopIteration
        while True:
            next(loading)
    engine = loaded.value.value
    events = list(engine.run(Speak(text="two words")))
    assert [type(event) for event in events] == [Chunk, Chunk, Usage]
    assert events[-1].audio_out == pytest.approx(sum(chunk.duration for chunk in events[:-1]))
    with pytest.raises(BadRequest):
        list(engine.run(Speak(text=" ")))


async def test_protocol_example_is_a_protocol(tmp_path: Path, model_folder: Folder, clip: Folder) -> None:
    hear = module("hear", blocks("Add a protocol", "python")[0], tmp_path)
    model_folder("whisper-tiny.en")
    config = Config(models={"asr": "whisper-tiny.en"})
    runtime = Runtime(config, CATALOG)
    app = Starlette(routes=hear.routes(build_services(config, runtime)))
    await runtime.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://readme") as client:
            answer = await client.post("/hear", content=clip("jfk").read_bytes())
            refused = await client.post("/hear", content=b"this is no recording")
    finally:
        await runtime.close()
    assert "ask what you can do for your country" in answer.text
    assert (refused.status_code, refused.headers["content-type"]) == (415, "text/plain; charset=utf-8")
