"""The page at / in a real browser: each of its tabs, with files and the microphone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from protocols.conftest import Start
from support.browser import Tab
from support.clips import CLIPS
from support.reverse_proxy import reverse_proxy
from support.scripted_conversation import NUMBERS
from support.word_errors import word_error_rate

from speechmlx.audio.encode import wav_header

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(autouse=True)
def page(chromium: Tab) -> Iterator[Tab]:
    chromium.complaints.clear()
    yield chromium
    assert chromium.complaints == []


def go(page: Tab, url: str, tab: str) -> None:
    page.go("about:blank")  # also where the address differs in its end alone
    page.go(f"{url}/#{tab}")
    page.until("document.querySelectorAll('.model').length > 5")
    assert page.value(f"document.querySelector('#{tab}').checkVisibility()")


def text(page: Tab, selector: str) -> str:
    return str(page.value(f"document.querySelector('{selector}').innerText"))


def press(page: Tab, selector: str) -> None:
    page.value(f"document.querySelector('{selector}').click()")


def saved(page: Tab) -> None:
    """Keep what the page saves in `window.files` (name → Blob), instead of on the disk."""
    page.value(
        "window.files = {}; { const made = {}, create = URL.createObjectURL;"
        " URL.createObjectURL = (blob) => { const url = create(blob); made[url] = blob; return url };"
        " HTMLAnchorElement.prototype.click = function () { files[this.download] = made[this.href] } } true"
    )


# --- Transcribe and enhance --------------------------------------------------------------------------------------


def test_an_upload_is_transcribed_and_its_segments_play(
    page: Tab, starter: Any, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    go(page, starter.url, "transcribe")
    page.choose("#hear input[type=file]", clip("jfk"))
    page.until("!document.querySelector('#heard-actions').hidden", 120)
    words = " ".join(page.value("[...document.querySelectorAll('#heard li')].map(line => line.lastChild.innerText)"))
    assert word_error_rate(CLIPS["jfk"].words, words) == 0
    assert "segments" in text(page, "#heard-note") and text(page, "#player-title") == "jfk.wav"
    assert page.until("document.querySelector('#player-seek').max") == "11"
    page.value("document.querySelector('#heard li:last-child span').click()")
    page.until("document.querySelector('#heard li:last-child.now')?.innerText")
    press(page, "#player-button")
    saved(page)
    for name in ("txt", "srt", "vtt", "json"):
        press(page, f"[data-save={name}]")
    texts = "Promise.all(Object.entries(files).map(async ([name, file]) => [name, await file.text()]))"
    files = dict(page.value(texts))
    assert word_error_rate(CLIPS["jfk"].words, files["jfk.txt"]) == 0
    assert files["jfk.srt"].startswith("1\n00:00:00,") and files["jfk.vtt"].startswith("WEBVTT\n\n00:00:00.")
    assert len(json.loads(files["jfk.json"])["segments"]) == page.value("document.querySelectorAll('#heard li').length")
    page.picture(tmp_path / "transcribe.png")
    assert (tmp_path / "transcribe.png").stat().st_size > 20_000


def test_what_is_wrong_is_said_and_the_next_recording_is_heard(page: Tab, starter: Any, tmp_path: Path) -> None:
    go(page, starter.url, "transcribe")
    (tmp_path / "words.wav").write_text("only words in here")
    page.choose("#hear input[type=file]", tmp_path / "words.wav")
    page.until("!document.querySelector('#heard-error').hidden")
    assert "plain text" in text(page, "#heard-error")
    assert "status of 415" in page.complaints.pop()
    (tmp_path / "silence.wav").write_bytes(wav_header(16000, 16000) + bytes(32000))
    page.choose("#hear input[type=file]", tmp_path / "silence.wav")
    page.until("document.querySelector('#heard-note').textContent.includes('No speech')", 60)
    assert page.value("document.querySelector('#heard-error').hidden")


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ("new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true})", "#hear [data-drop]"),
        ("new ClipboardEvent('paste', {clipboardData: files, bubbles: true})", "body"),
    ],
    ids=["drop", "paste"],
)
def test_a_recording_is_dropped_and_pasted(page: Tab, server: Any, event: str, where: str) -> None:
    go(page, server.url, "transcribe")
    page.value(
        "{ const files = new DataTransfer(); files.items.add(new File(['only words'], 'words.wav'));"
        f" document.querySelector('{where}').dispatchEvent({event}) }} true"
    )
    page.until("!document.querySelector('#heard-error').hidden")
    assert "words.wav" in text(page, "#hear .chosen") and "plain text" in text(page, "#heard-error")
    assert "status of 415" in page.complaints.pop()


def test_the_microphone_is_recorded_and_heard(page: Tab, starter: Any) -> None:
    go(page, starter.url, "transcribe")
    press(page, "#hear .record")
    page.until("document.querySelector('#hear time').textContent >= '0:04'")
    assert text(page, "#hear .record") == "Stop recording"
    press(page, "#hear .record")
    page.until("document.querySelector('#heard').textContent.includes('fellow')", 120)
    page.until("document.querySelector('#player-seek').max > 3")
    assert "Recording · 0:04" in text(page, "#hear .chosen")


def test_a_recording_is_enhanced_and_compared(page: Tab, starter: Any, clip: Callable[[str], Path]) -> None:
    go(page, starter.url, "enhance")
    saved(page)
    page.choose("#clean input[type=file]", clip("jfk"))
    page.until("document.querySelector('#cleaned-note').textContent.startsWith('Done')", 120)
    about = "[...document.querySelectorAll('#cleaned .about')].map(line => line.textContent)"
    page.until(f"{about}.every(line => line.startsWith('0:1'))")  # its length is known when its wave is
    press(page, "#cleaned li:last-child button")
    page.until("Number(document.querySelector('#player-seek').value) > 0.5")
    assert text(page, "#player-title") == "After"
    press(page, "#cleaned li:first-child button")
    assert text(page, "#player-title") == "Before"
    assert page.value("Number(document.querySelector('#player-seek').value)") > 0.5  # from the same place on
    press(page, "#player-close")
    press(page, "#cleaned-save")
    assert page.value("files['jfk-clean.wav'].size") == 11 * 96000 + 44


# --- Speak -------------------------------------------------------------------------------------------------------


def test_speech_is_heard_while_it_is_made_and_saved(page: Tab, server: Any) -> None:
    go(page, server.url, "speak")
    page.value("document.querySelector('#say').elements.model.value = 'scripted'")
    script = "steps=40 work=0.1 bytes=9600"  # 8 s of sound, made in 4 s
    page.value(f"document.querySelector('#say').elements.input.value = '{script}'")
    saved(page)
    press(page, "#say .primary")
    page.until("Number(document.querySelector('#player-seek').value) > 0.3")
    assert text(page, "#say .primary") == "Stop" and "made so far" in text(page, "#spoken-note")
    page.until("document.querySelector('#say .primary').textContent === 'Speak'", 60)
    assert text(page, "#spoken .about").startswith("0:08")
    page.value(
        "(seek => { seek.value = 6; seek.dispatchEvent(new Event('input')) })(document.querySelector('#player-seek'))"
    )
    page.until("Number(document.querySelector('#player-seek').value) > 6.2")  # on from there, now with the file
    for name in ("wav", "mp3"):
        page.value(f"(list => {{ list.value = '{name}'; list.onchange() }})(document.querySelector('#spoken select'))")
        page.until(f"Object.keys(files).some(name => name.endsWith('.{name}'))", 60)
    assert page.value("Object.values(files)[0].size") == 44 + 40 * 9600
    press(page, "#player-close")


def test_speech_that_fails_in_the_middle_keeps_what_came(page: Tab, server: Any) -> None:
    go(page, server.url, "speak")
    page.value("document.querySelector('#say').elements.model.value = 'scripted'")
    page.value("document.querySelector('#say').elements.input.value = 'steps=9 bytes=48000 work=0.05 fail=4'")
    press(page, "#say .primary")
    page.until("!document.querySelector('#spoken-error').hidden", 60)
    assert "broken off" in text(page, "#spoken .about")
    page.complaints.clear()  # the browser tells of the broken answer itself
    press(page, "#player-close")


def test_a_voice_is_found_previewed_and_kept(page: Tab, starter: Any) -> None:
    go(page, starter.url, "speak")
    press(page, "#voice")
    page.until("document.querySelectorAll('#voices-list li').length > 50")
    page.value("(s => { s.value = 'british man'; s.dispatchEvent(new Event('input')) })(document.querySelector('#voices-search'))")  # fmt: skip  # noqa: E501
    names = page.value("[...document.querySelectorAll('#voices-list .choose')].map(one => one.firstChild.textContent)")
    assert {"Daniel", "Fable", "George", "Lewis"} <= set(names) and len(names) < 10
    press(page, "#voices-list li:nth-child(3) .quiet")
    page.until("Number(document.querySelector('#player-seek').value) > 0.2", 120)
    press(page, "#voices-list li:nth-child(3) .choose")
    assert not page.value("document.querySelector('#voices').open") and text(page, "#voice") == "George"
    go(page, starter.url, "speak")
    assert text(page, "#voice") == "George"
    page.value("localStorage.clear()")


# --- Live --------------------------------------------------------------------------------------------------------


def test_live_captions_of_the_microphone(page: Tab, listening: Any) -> None:
    go(page, listening.url, "captions")
    lines = "[...document.querySelectorAll('#captions-lines li')].map(line => line.textContent)"
    press(page, "#captions-button")
    page.until("document.querySelector('#captions-buffer').textContent.includes('one two')")
    page.until(f"{lines}.length > 1")
    assert page.value("document.querySelector('#captions-button').getAttribute('aria-pressed')") == "true"
    assert page.value("document.querySelector('#captions-live').checkVisibility()")
    press(page, "#captions-button")
    page.until("document.querySelector('#captions-button').textContent === 'Start captions'")
    for line in page.value(lines):
        heard = line.split()
        first = NUMBERS.index(heard[0])
        assert heard == [NUMBERS[(first + n) % 11] for n in range(len(heard))]
    assert text(page, "#captions-buffer") == "" and text(page, "#captions-note") == ""
    saved(page)
    press(page, "#captions-save")
    kept = page.value("files['captions.txt'].text()")
    assert kept.splitlines() == page.value(lines)


def test_captions_say_what_is_wrong(page: Tab, listening: Any) -> None:
    go(page, listening.url, "captions")
    page.value("document.querySelector('#captions-language').append(new Option('fr', 'fr', true, true))")
    press(page, "#captions-button")
    page.until("!document.querySelector('#captions-error').hidden")
    assert "'fr' is not known" in text(page, "#captions-error")
    page.until("document.querySelector('#captions-button').textContent === 'Start captions'")


def test_a_conversation_that_is_interrupted(page: Tab, conversing: Any) -> None:
    go(page, conversing.url, "talk")
    whole = " ".join(f"word{n:03}" for n in range(250))  # 25 s, longer than the microphone is quiet
    page.value(f"document.querySelector('#talk-text').value = 'say {whole}.'")
    press(page, "#talk-form button")
    page.until("document.querySelector('#talk-state').textContent.startsWith('Speaking')")
    page.until("document.querySelector('#talk-turns .answer')?.textContent.includes('word2')")
    press(page, "#talk-button")
    page.until("document.querySelector('#talk-turns .answer small')?.textContent.includes('interrupted')", 60)
    heard = text(page, "#talk-turns .answer .said").split()
    assert heard == whole.split()[: len(heard)] and 0 < len(heard) < 200
    page.until("[...document.querySelectorAll('#talk-turns .question')].at(-1).textContent.includes('one two')")
    page.until("[...document.querySelectorAll('#talk-turns .answer')].at(-1).textContent.includes('You said: one two')")
    press(page, "#talk-button")
    page.until("document.querySelector('#talk-button').getAttribute('aria-pressed') === 'false'")
    assert text(page, "#talk-state") == "Press the microphone and speak."
    assert page.value("document.querySelector('#talk-save').checkVisibility()")


# --- Models ------------------------------------------------------------------------------------------------------


def test_models_are_fetched_loaded_and_unloaded_and_the_focus_stays(page: Tab, server: Any) -> None:
    go(page, server.url, "models")
    page.value("(s => { s.value = 'scripted-large'; s.oninput() })(document.querySelector('#models-search'))")
    row = "[...document.querySelectorAll('.model')].find(row => row.checkVisibility())"
    assert page.value(f"{row}.querySelector('.about').textContent").startswith("6 MB")
    page.value(f"window.pressed = {row}.querySelector('button'); pressed.focus(); pressed.click()")
    for label, state in (("Load", "On this machine"), ("Unload", "In memory"), ("Load", "On this machine")):
        page.until(f"pressed.textContent === '{label}' && {row}.innerText.includes('{state}')", 60)
        assert page.value("document.activeElement === pressed")
        assert page.value("pressed.getAttribute('aria-label')") == f"{label} scripted-large"
        page.value("pressed.click()")
    page.until("pressed.textContent === 'Unload'", 60)


def test_a_model_that_cannot_be_had_is_told(page: Tab, server: Any) -> None:
    go(page, server.url, "models")
    page.value("document.querySelector('[aria-label=\"Download scripted-nowhere\"]').click()")
    page.until("document.querySelector('.model .error:not([hidden])')?.textContent")
    assert "scripted-nowhere could not be fetched" in text(page, ".model .error:not([hidden])")
    assert "status of 502" in page.complaints.pop()


def test_recordings_and_live_words_have_a_default_each(page: Tab, start_server: Start) -> None:
    with start_server("--asr", "parakeet-tdt-0.6b-v3", "--listen", "whisper-small") as server:
        go(page, server.url, "models")
        marked = "[...document.querySelectorAll('[aria-labelledby=kind-asr] .name')].map(name => name.innerText)"
        assert page.value(marked)[:2] == ["whisper-smalldefault for live words", "parakeet-tdt-0.6b-v3default"]
        first = "document.querySelector('#hear').elements.model[0].textContent"
        assert page.value(first) == "Default (parakeet-tdt-0.6b-v3)"
        spoken = "[...document.querySelectorAll('[data-languages]')].map(list => list.length - 1)"
        with server.client() as client:
            known = {row["id"]: len(row["languages"]) for row in client.get("/v1/models").json()["data"]}
        assert page.value(spoken) == [known["whisper-small"], known["parakeet-tdt-0.6b-v3"]]
        page.go("about:blank")


# --- Below a path, and the microphone's samples ------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "/"])
def test_it_works_below_a_path_of_a_proxy(page: Tab, server: Any, end: str) -> None:
    with reverse_proxy(server.url) as url:
        go(page, url, "models")
        page.go(f"{url}/docs{end}")
        assert page.until("document.querySelectorAll('.operation').length") > 25
        page.go(f"{url}/test_form.html{end}")
        page.value("[...document.forms].at(-1).querySelector('button').click()")
        assert page.until("document.querySelector('#answer').textContent.includes('engine')")


RESAMPLE = """
(async () => {
  const context = new OfflineAudioContext(1, %(from)s, %(from)s);
  await context.audioWorklet.addModule("web/pcm-input.js");
  const node = new AudioWorkletNode(context, "pcm-input", { processorOptions: { rate: %(to)s } }), samples = [];
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


@pytest.mark.parametrize(("rate", "to"), [(16000, 16000), (44100, 16000), (48000, 16000), (44100, 24000)])
def test_the_microphone_is_resampled_without_false_tones(page: Tab, server: Any, rate: int, to: int) -> None:
    page.go(server.url)
    settings = [{"from": rate, "to": to, "hertz": hertz} for hertz in (1000, to // 2 + 3000)]
    loud, high = (np.array(page.value(RESAMPLE % one)) for one in settings)
    assert abs(len(loud) - to) < 150
    middle = loud[to // 4 : to * 3 // 4] / 32767
    expected = np.exp(-2j * np.pi * 1000 * np.arange(to // 2) / to)
    assert abs(np.mean(middle * expected)) * 2 == pytest.approx(1.0, abs=0.01)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert rate == to or np.abs(high[to // 4 : to * 3 // 4]).max() < 100
