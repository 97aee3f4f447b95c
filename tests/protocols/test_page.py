"""The page at / in a real browser: upload, microphone, speech that plays, enhancement, models and their state."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocols.conftest import serve
from support import browser
from support.browser import Tab
from support.clips import CLIPS
from support.reverse_proxy import reverse_proxy
from support.scripted_conversation import LIVE_MODELS, NUMBERS
from support.word_errors import word_error_rate

from speechmlx.audio.encode import wav_header

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def page(starter: Any, clip: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = browser.find()
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"the page wants a browser, and none of {', '.join(browser.NAMES)} is here")
    with browser.tab(program, tmp_path_factory.mktemp("browser"), clip("jfk")) as tab:
        yield tab


@pytest.fixture(autouse=True)
def opened(page: Tab, starter: Any) -> Iterator[None]:
    page.complaints.clear()
    page.go(starter.url)
    page.until("document.querySelectorAll('#models tr').length > 5")
    yield
    assert page.complaints == []


def send(page: Tab, form: str) -> None:
    page.value(f"document.querySelector('#{form} button:not([type])').click()")


def test_it_shows_health_models_and_voices(page: Tab, tmp_path: Path) -> None:
    assert page.until("document.querySelector('#health').textContent.startsWith('ok')")
    rows = page.value("[...document.querySelectorAll('#models tr')].map(row => [...row.cells].map(c => c.textContent))")
    named = {row[0]: row for row in rows}
    assert named["whisper-tiny.en"][1:3] == ["asr", "en"] and named["kokoro-82m"][1] == "tts"
    assert page.until("document.querySelector('#voice').options.length") == 1 + 54 + 13
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_an_upload_is_transcribed(page: Tab, clip: Callable[[str], Path]) -> None:
    page.choose("#hear input[type=file]", clip("jfk"))
    send(page, "hear")
    page.until("document.querySelector('#heard').textContent.includes('your country')", 120)
    page.until("!document.querySelector('#hear button:not([type])').disabled")
    assert word_error_rate(CLIPS["jfk"].words, page.value("document.querySelector('#heard').textContent")) == 0
    page.until("[...document.querySelectorAll('#models tr.loaded td')].some(c => c.textContent === 'whisper-tiny.en')")


def test_what_is_wrong_is_said(page: Tab, tmp_path: Path) -> None:
    send(page, "hear")
    assert "choose a file" in page.until("document.querySelector('#heard.bad')?.textContent")
    (tmp_path / "words.wav").write_text("only words in here")
    page.choose("#hear input[type=file]", tmp_path / "words.wav")
    send(page, "hear")
    assert page.until("document.querySelector('#heard.bad')?.textContent.includes('plain text')")
    assert "status of 415" in page.complaints.pop()


def test_the_microphone_is_heard_also_after_a_file_was_chosen(page: Tab, tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    silence.write_bytes(wav_header(16000, 16000) + bytes(32000))
    page.choose("#hear input[type=file]", silence)
    page.value("document.querySelector('#hear .record').click()")
    page.until("document.querySelector('#hear .record.on')")
    page.value("new Promise(done => setTimeout(done, 11500))")
    page.value("document.querySelector('#hear .record').click()")
    page.until("document.querySelector('#heard').textContent.includes('country')", 120)
    text = page.value("document.querySelector('#heard').textContent")
    assert "ask" in text
    assert page.value("document.querySelector('#hear input[type=file]').files.length") == 0


def test_speech_is_made_and_plays(page: Tab) -> None:
    page.until("document.querySelector('#voice').options.length > 50")
    page.value("document.querySelector('#voice').value = 'am_echo'")
    page.value("document.querySelector('#speak textarea').value = 'One two three.'")
    send(page, "speak")
    page.until("document.querySelector('#spoken-note').textContent.includes('kB')", 120)
    assert page.until("document.querySelector('#spoken').duration") > 0.7
    assert page.until("document.querySelector('#spoken').currentTime > 0.2")


def test_a_recording_is_enhanced(page: Tab, clip: Callable[[str], Path]) -> None:
    page.choose("#clean input[type=file]", clip("jfk"))
    send(page, "clean")
    page.until("document.querySelector('#cleaned-note').textContent.startsWith('done')", 120)
    lengths = "[...document.querySelectorAll('#noisy, #cleaned')].map(audio => audio.duration)"
    page.until(f"{lengths}.every(length => length > 0)")
    assert page.value(lengths) == [pytest.approx(11.0, abs=0.01)] * 2


@pytest.mark.parametrize("end", ["", "/"])
def test_it_works_below_a_path_of_a_proxy(page: Tab, starter: Any, end: str) -> None:
    with reverse_proxy(starter.url) as url:
        page.go(f"{url}/")
        page.until("document.querySelectorAll('#models tr').length > 5")
        page.until("document.querySelector('#voice').options.length > 50")
        page.go(f"{url}/docs{end}")
        assert page.until("document.querySelectorAll('#operations details').length") > 25
        page.go(f"{url}/test_form.html{end}")
        page.value("[...document.forms].at(-1).querySelector('button').click()")
        assert page.until("document.querySelector('#answer').textContent.includes('engine')")


def test_the_other_pages_work(page: Tab, starter: Any, clip: Callable[[str], Path]) -> None:
    page.go(f"{starter.url}/docs")
    assert page.until("document.querySelectorAll('#operations details').length") > 25
    page.go(f"{starter.url}/test_form.html")
    page.choose("input[type=file]", clip("jfk"))
    page.value("document.querySelector('form button').click()")
    page.until("document.querySelector('#answer').textContent.startsWith('200')", 120)
    text = page.value("document.querySelector('#answer').textContent")
    assert '"success": true' in text and "your country" in text


def test_live_captions_of_the_microphone(page: Tab, listening: Any, tmp_path: Path) -> None:
    page.go(listening.url)
    lines = "[...document.querySelectorAll('#captions-lines li')].map(line => line.textContent)"
    page.value("document.querySelector('#captions-button').click()")
    assert "one two" in page.until("document.querySelector('#captions-buffer').textContent")
    page.until(f"{lines}.length > 1")
    assert page.value("document.querySelector('#captions-button').getAttribute('aria-pressed')") == "true"
    page.picture(tmp_path / "captions.png")
    page.value("document.querySelector('#captions-button').click()")
    page.until("document.querySelector('#captions-button').textContent.includes('Start')")
    for line in page.value(lines):
        heard = line.split()
        first = NUMBERS.index(heard[0])
        assert heard == [NUMBERS[(first + n) % 11] for n in range(len(heard))]
    assert page.value("document.querySelector('#captions-buffer').textContent") == ""
    assert page.value("document.querySelector('#captions-note').textContent") == ""


def test_captions_say_what_is_wrong(page: Tab, listening: Any) -> None:
    page.go(listening.url)
    page.value("document.querySelector('#captions-language').value = 'fr'")
    page.value("document.querySelector('#captions-button').click()")
    assert "'fr' is not known" in page.until("document.querySelector('#captions-note.bad')?.textContent")
    page.until("document.querySelector('#captions-button').textContent.includes('Start')")


def give(page: Tab, key: str, stays: bool = False) -> None:
    page.until("document.querySelector('#key')")
    page.value(f"document.querySelector('#key [name=key]').value = {json.dumps(key)}")
    page.value(f"document.querySelector('#key [name=stays]').checked = {json.dumps(stays)}")
    page.value("document.querySelector('#key button').click()")


def without_refusals(page: Tab) -> None:
    """Chromium tells of each 401 itself."""
    page.complaints[:] = [text for text in page.complaints if "status of 401" not in text]


AWKWARD = "a key, with ü"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    flags = ("--api-key", "smx-right", "--diarize", "scripted-diarizer")
    with serve(tmp_path_factory.mktemp("locked"), *flags, SPEECHMLX_MODELS=LIVE_MODELS) as server:
        yield server


def test_the_page_asks_for_the_key_and_sends_it_with_requests_and_sockets(page: Tab, locked: Any) -> None:
    page.go(locked.url)
    page.until("document.querySelector('#health').textContent.startsWith('ok')")
    assert "wants a key" in page.until("document.querySelector('#key p')?.textContent")
    assert page.value("document.querySelector('#forget-key').hidden")
    for wrong in ("smx-wrong", AWKWARD):
        give(page, wrong)
        assert page.until("document.querySelector('#key p')?.textContent.includes('not right')")
    assert page.value("document.querySelectorAll('#models tr').length") == 0
    without_refusals(page)
    give(page, "smx-right")
    page.until("document.querySelectorAll('#models tr').length > 5")
    assert page.value("document.querySelector('#key')") is None
    page.value("document.querySelector('#speak [name=model]').value = 'scripted'")
    page.value("document.querySelector('#speak textarea').value = 'steps=3'")
    send(page, "speak")
    page.until("document.querySelector('#spoken-note').textContent.includes('kB')", 60)
    page.value("document.querySelector('#captions-button').click()")
    assert "one two" in page.until("document.querySelector('#captions-buffer').textContent")
    page.value("document.querySelector('#captions-button').click()")
    page.until("document.querySelector('#captions-button').textContent.includes('Start')")
    assert "smx-right" not in locked.log.read_text()


def test_the_key_stays_in_the_tab_or_in_the_browser_as_asked(
    page: Tab, locked: Any, clip: Callable[[str], Path]
) -> None:
    page.go(f"{locked.url}/docs")  # the tab has the key of the test before
    assert page.until("document.querySelectorAll('#operations details').length") > 25
    page.value("document.querySelector('#forget-key').click()")
    give(page, "smx-right", stays=True)
    assert page.value("[sessionStorage.length, localStorage.length]") == [0, 1]
    page.go(f"{locked.url}/test_form.html")
    page.choose("input[type=file]", clip("jfk"))
    page.value("document.querySelector('section form button').click()")
    page.until("document.querySelector('#answer').textContent.startsWith('200')", 60)
    page.value("document.querySelector('#forget-key').click()")
    assert page.value("[sessionStorage.length, localStorage.length]") == [0, 0]
    page.go(f"{locked.url}/docs")
    page.until("document.querySelector('#key')")
    assert page.value("document.querySelectorAll('#operations details').length") == 0
    without_refusals(page)


RESAMPLE = """
(async () => {
  const context = new OfflineAudioContext(1, %(rate)s, %(rate)s);
  await context.audioWorklet.addModule("web/pcm16k.js");
  const node = new AudioWorkletNode(context, "pcm16k"), samples = [];
  const over = new Promise((done) => {
    node.port.onmessage = ({ data }) => data ? samples.push(...new Int16Array(data)) : done();
  });
  const source = new OscillatorNode(context, { frequency: %(hertz)s });
  source.connect(node).connect(context.destination);
  source.start();
  await context.startRendering();
  node.port.postMessage("end");
  await over;
  return samples;
})()
"""


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_the_microphone_is_brought_to_16_khz_without_false_tones(page: Tab, rate: int) -> None:
    loud, high = (np.array(page.value(RESAMPLE % {"rate": rate, "hertz": hertz})) for hertz in (1000, 11000))
    assert abs(len(loud) - 16000) < 100
    middle = loud[4000:12000] / 32767
    expected = np.exp(-2j * np.pi * 1000 * np.arange(8000) / 16000)
    assert abs(np.mean(middle * expected)) * 2 == pytest.approx(1.0, abs=0.01)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert rate == 16000 or np.abs(high[4000:12000]).max() < 100
