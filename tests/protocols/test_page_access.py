"""The pages for everybody: nothing that axe finds, no sideways scrolling, the keyboard, and the key of a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from protocols.conftest import serve
from protocols.test_voices import form
from support.browser import Tab
from support.scripted_conversation import LIVE_MODELS

pytestmark = pytest.mark.timeout(400)
TABS = ("talk", "captions", "transcribe", "speak", "enhance", "models")
PLACES = [("", tab) for tab in TABS] + [
    ("docs", "post-v1-audio-transcriptions"),
    ("docs", "ws-asr"),
    ("test_form.html", ""),
]
AWKWARD = "a key, with ü"


@pytest.fixture(autouse=True)
def page(chromium: Tab) -> Iterator[Tab]:
    chromium.complaints.clear()
    yield chromium
    chromium.ask("Emulation.clearDeviceMetricsOverride")
    assert chromium.complaints == []


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    if not shutil.which("npm"):
        pytest.skip("axe-core wants npm, which is not here")
    folder = tmp_path_factory.mktemp("node")
    for file in (Path(__file__).parent / "node_axe").glob("*.json"):
        shutil.copy(file, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    if installed.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"npm could not install axe-core: {installed.stderr.strip()[-300:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


def show(page: Tab, width: int, dark: bool) -> None:
    page.ask("Emulation.setDeviceMetricsOverride", width=width, height=850, deviceScaleFactor=1, mobile=width < 600)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.ask("Emulation.setEmulatedMedia", features=[scheme])


def go(page: Tab, server: Any, place: str, part: str) -> None:
    page.go("about:blank")
    page.go(f"{server.url}/{place}#{part}")
    wanted = {"": ".model", "docs": ".operation", "test_form.html": "form"}[place]
    page.until(f"document.querySelectorAll('{wanted}').length > 2")


AXE = """
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => [id, ...nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`)]))
"""
FILL = """
(async () => {
  const { showError } = await import("./web/dom.js");
  document.querySelectorAll(".error").forEach((one) => showError(one, "Something is wrong with it."));
})()
"""


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    page: Tab, server: Any, axe: str, width: int, dark: bool
) -> None:
    show(page, width, dark)
    found = {}
    for place, part in PLACES:
        go(page, server, place, part)
        if not place:
            page.value(FILL)
        page.value(f"{axe}; true")
        found[f"{place}#{part}"] = page.value(AXE)
        assert page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, part
    assert {place: faults for place, faults in found.items() if faults} == {}


def test_axe_finds_nothing_in_results_and_the_dialog(page: Tab, all_scripted: Any, axe: str, clip: Callable[[str], Path]) -> None:  # fmt: skip  # noqa: E501
    show(page, 390, True)
    go(page, all_scripted, "", "speak")
    page.value("document.querySelector('#say').elements.input.value = 'steps=3 bytes=96000'")
    page.value("document.querySelector('#say .primary').click()")
    page.until("document.querySelector('#spoken .about')?.textContent.startsWith('0:06')")
    page.choose("#hear input[type=file]", clip("jfk"))
    page.until("document.querySelector('#heard li')?.textContent")
    page.value(f"{axe}; true")
    assert page.value(AXE) == []
    page.value("document.querySelector('#tab-transcribe').click()")
    assert page.value(AXE) == []
    assert page.value("document.documentElement.scrollWidth") == 390
    page.value("document.querySelector('#tab-speak').click(); document.querySelector('#voice').click()")
    page.until("document.querySelectorAll('#voices-list li').length > 0")
    assert page.value(AXE) == []


def test_axe_finds_nothing_in_your_voices(page: Tab, all_scripted: Any, axe: str) -> None:
    show(page, 390, True)
    with all_scripted.client() as client:
        assert client.post("/v1/audio/voices", **form(name="Somebody Whose Name Is Long")).status_code == 200
        try:
            go(page, all_scripted, "", "speak")
            page.value("document.querySelector('#own').open = document.querySelector('#own-add').open = true")
            page.until("document.querySelectorAll('#own-list button').length === 2")
            page.value("document.querySelector('#own-list [data-voice]').click()")
            page.value(FILL)
            page.value(f"{axe}; true")
            assert page.value(AXE) == []
            page.value("document.querySelector('#own-list li').lastChild.click()")
            assert page.value(AXE) == []
            assert page.value("document.documentElement.scrollWidth") == 390
        finally:
            assert client.delete("/v1/audio/voices/Somebody Whose Name Is Long").status_code == 200
            page.value("localStorage.clear()")


def type_key(page: Tab, key: str, shift: bool = False) -> None:
    for kind in ("keyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=8 * shift, windowsVirtualKeyCode={"Tab": 9, "ArrowRight": 39, "End": 35, "Home": 36}.get(key, 0))  # fmt: skip  # noqa: E501


def test_the_keyboard_reaches_the_tabs_and_what_they_show(page: Tab, server: Any) -> None:
    show(page, 1280, False)
    go(page, server, "", "talk")
    page.value("document.querySelector('#tab-talk').focus()")
    active = "document.activeElement.id"
    for key, tab in (("ArrowRight", "captions"), ("End", "models"), ("ArrowRight", "talk"), ("ArrowRight", "captions")):
        type_key(page, key)
        assert page.value(active) == f"tab-{tab}"
        shown = "[...document.querySelectorAll('[role=tabpanel]')].filter(one => !one.hidden).map(one => one.id)"
        assert page.value(shown) == [tab] and page.value("location.hash") == f"#{tab}"
    type_key(page, "Tab")
    assert page.value(active) == "captions-button"
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_docs_are_searched_linked_and_tried(page: Tab, all_scripted: Any, clip: Callable[[str], Path]) -> None:
    show(page, 1280, False)
    go(page, all_scripted, "docs", "post-v1-audio-speech")
    assert page.until("document.querySelector('#post-v1-audio-speech').open")
    example = page.value("document.querySelector('#post-v1-audio-speech .example pre').innerText")
    assert f"curl -X POST '{all_scripted.url}/v1/audio/speech'" in example and '{"input":"Hello' in example
    page.value("document.querySelector('#post-v1-audio-speech .try button').click()")
    page.until("document.querySelector('#post-v1-audio-speech audio')?.src")
    search = "(s => { s.value = %s; s.dispatchEvent(new Event('input')) })(document.querySelector('#search'))"
    shown = "[...document.querySelectorAll('.operation')].filter(one => one.checkVisibility()).map(one => one.id)"
    page.value(search % "'realtime ws'")
    assert page.value(shown) == ["ws-v1-realtime"]
    page.value(search % "'nothing like it'")
    assert page.value("document.querySelector('#nothing').checkVisibility()")
    page.value(search % "''")
    page.value("document.querySelector('#post-transcribe').open = true")
    page.until("document.querySelector('#post-transcribe .try')?.elements.length")
    page.choose("#post-transcribe .try input[type=file]", clip("jfk"))
    page.value("document.querySelector('#post-transcribe .try button').click()")
    page.until("document.querySelector('#post-transcribe .try pre')?.innerText.includes('\"text\"')")


# --- The key -----------------------------------------------------------------------------------------------------


def give(page: Tab, key: str, stays: bool = False) -> None:
    page.until("document.querySelector('#key')?.id")
    page.value(f"document.querySelector('#key [name=key]').value = {json.dumps(key)}")
    page.value(f"document.querySelector('#key [name=stays]').checked = {json.dumps(stays)}")
    page.value("document.querySelector('#key button').click()")


def without_refusals(page: Tab) -> None:
    """Chromium tells of each 401 itself."""
    page.complaints[:] = [text for text in page.complaints if "status of 401" not in text]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    flags = ("--api-key", "smx-right", "--diarize", "scripted-diarizer")
    with serve(tmp_path_factory.mktemp("locked"), *flags, SPEECHMLX_MODELS=LIVE_MODELS) as server:
        yield server


def test_the_page_asks_for_the_key_and_sends_it_with_requests_and_sockets(page: Tab, locked: Any) -> None:
    page.go(f"{locked.url}/#captions")
    page.until("document.querySelector('#health').textContent.startsWith('Ready')")
    assert "wants a key" in page.until("document.querySelector('#key p')?.textContent")
    assert page.value("document.querySelector('#forget-key').hidden")
    for wrong in ("smx-wrong", AWKWARD):
        give(page, wrong)
        page.until("document.querySelector('#key p')?.textContent.includes('is wrong')")
    assert page.value("document.querySelectorAll('.model').length") == 0
    without_refusals(page)
    give(page, "smx-right")
    page.until("document.querySelectorAll('.model').length > 5")
    assert page.value("document.querySelector('#key')") is None
    page.value("document.querySelector('#captions-button').click()")
    page.until("document.querySelector('#captions-lines').children.length", 120)
    page.value("document.querySelector('#captions-button').click()")
    page.until("document.querySelector('#captions-button').textContent === 'Start captions'")
    assert "smx-right" not in locked.log.read_text()
    without_refusals(page)


def test_a_page_without_its_key_keeps_the_model_of_the_voice(page: Tab, locked: Any) -> None:
    go(page, locked, "", "speak")  # the tab has the key of the test before
    model = "document.querySelector('#say').elements.model"
    page.value(f"{model}.value = 'kokoro-82m'; {model}.dispatchEvent(new Event('change'))")
    page.value("document.querySelector('#voice').click()")
    page.until("document.querySelectorAll('#voices-list li').length > 50")
    page.value("document.querySelector('#voices-list li:nth-child(3) .choose').click()")
    voice = page.value("document.querySelector('#voice').textContent")
    assert voice != "Default voice"
    page.value("sessionStorage.clear()")  # as in a new tab
    page.go("about:blank")
    page.go(f"{locked.url}/#speak")
    give(page, "smx-right")
    page.until("document.querySelectorAll('.model').length > 5")
    assert page.value(f"[{model}.value, document.querySelector('#voice').textContent]") == ["kokoro-82m", voice]
    page.value("localStorage.clear()")
    without_refusals(page)


def test_the_key_stays_in_the_tab_or_in_the_browser_as_asked(
    page: Tab, locked: Any, clip: Callable[[str], Path]
) -> None:
    go(page, locked, "docs", "")  # the tab has the key of the test before
    page.value("document.querySelector('#forget-key').click()")
    give(page, "smx-right", stays=True)
    kept = "[sessionStorage, localStorage].map(one => Object.keys(one).filter(name => name === 'speechmlx.key').length)"
    assert page.value(kept) == [0, 1]
    go(page, locked, "test_form.html", "")
    page.choose("input[type=file]", clip("jfk"))
    page.value("document.querySelector('section form button').click()")
    page.until("document.querySelector('#answer').textContent.startsWith('200')", 60)
    page.value("document.querySelector('#forget-key').click()")
    assert page.value(kept) == [0, 0]
    page.go(f"{locked.url}/docs")
    page.until("document.querySelector('#key')?.id")
    assert page.value("document.querySelectorAll('.operation').length") == 0
    without_refusals(page)
