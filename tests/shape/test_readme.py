"""README and docs/: the examples run, the tables are the program's, the links lead to files."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx
import numpy as np
import pytest
import soundfile
from protocols.conftest import serve
from starlette.applications import Starlette

from speechmlx.config import Config
from speechmlx.engines import LoadOptions
from speechmlx.errors import BadRequest
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.reading.preview import words_of
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Kind, Speak, Usage

Folder = Callable[[str], Path]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONFIGURATION = ROOT / "docs/configuration.md"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks in `language` under a heading."""
    section = re.split(rf"^#+ {heading}$", README, flags=re.MULTILINE)[1]
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
    assert {row[0].strip("`") for row in table("| | |\n|---|---|\n| `scripts/install`")} == scripts


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


def test_links_lead_to_files() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), *ROOT.glob(".github/*.md")]
    for document in documents:
        text = re.sub(r"`[^`\n]*`", "", document.read_text())  # code has no links
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
        assert [link for link in links if not (document.parent / link).exists()] == [], document.name


def test_profiles_are_those_of_the_catalog() -> None:
    kinds = (Kind.ASR, Kind.TTS, Kind.LLM, Kind.ENHANCE)
    named = {row[0].strip("`"): row[1:5] for row in table("| profile | hears |")}
    assert named == {name: [rows[kind] for kind in kinds] for name, rows in CATALOG.profiles.items()}


def test_engine_example_is_an_engine(tmp_path: Path) -> None:
    beeper = module("beeper", blocks("Add an engine", "python")[0], tmp_path)
    loading = beeper.load(tmp_path, LoadOptions())
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


@pytest.mark.timeout(400)  # every starter model, loaded and used, on whatever machine this is
def test_what_use_shows_runs(tmp_path: Path, model_folder: Folder) -> None:
    for name in CATALOG.profiles["starter"].values():
        model_folder(name)
    (lines,), (conversation,) = blocks("Use", "sh"), blocks("Use", "python")
    checked = "set -e\ncurl() { command curl --fail-with-body --silent --show-error --noproxy '*' \"$@\"; echo; }\n"
    with serve(tmp_path / "server", scripted=False) as server:
        script = checked + lines.replace("http://127.0.0.1:8080", server.url)
        run = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
        code = conversation.replace("http://127.0.0.1:8080", server.url)
        talk = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert talk.returncode == 0, talk.stderr
    assert len(talk.stdout.split()) > 1
    assert run.returncode == 0, run.stdout + run.stderr
    assert "capital of France" in run.stdout
    assert '"status":"ok"' in run.stdout
    lasting = {}
    for name in ("question", "streamed", "answer", "clean"):
        samples, rate = soundfile.read(tmp_path / f"{name}.wav")
        assert np.abs(samples).max() > 0.01
        lasting[name] = len(samples) / rate
    assert lasting["clean"] == pytest.approx(lasting["question"], abs=1e-3)
