"""Your voices on the page: stored, spoken with and deleted, in a real browser, with a model that clones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from protocols.conftest import Server, serve
from protocols.test_access_keys import key
from protocols.test_page import go, press, text
from protocols.test_page_access import give
from protocols.test_voices import make_imitator, recording
from support.browser import Tab
from support.reverse_proxy import reverse_proxy

pytestmark = pytest.mark.timeout(400)
MODEL = "local--pocket-tts"
INVALID = """
[...document.querySelector("#own-form").elements].filter((one) => !one.validity.valid).map((one) => one.name)
"""
HERE = "document.querySelectorAll('#own-list [data-voice]').length"


@pytest.fixture(autouse=True)
def page(chromium: Tab) -> Iterator[Tab]:
    chromium.go("about:blank")  # a page of a server that has ended would complain
    chromium.complaints.clear()
    yield chromium
    chromium.value("sessionStorage.clear(); localStorage.clear()")
    chromium.go("about:blank")
    assert chromium.complaints == []


@pytest.fixture(scope="module")
def imitator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that clones."""
    return make_imitator(tmp_path_factory.mktemp("imitator"))


@pytest.fixture(scope="module")
def running(imitator: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose default synthesiser clones."""
    with serve(tmp_path_factory.mktemp("cloning"), "--tts", str(imitator)) as server:
        yield server


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose default synthesiser cannot clone, whose owner accepted no licence and named a voice."""
    home = tmp_path_factory.mktemp("plain")
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "SPEECHMLX_ACCEPT_LICENCE": ""}
    with serve(home / "server", SPEECHMLX_VOICES="voice_of_ann=af_bella", scripted=True, **own) as server:
        yield server


@pytest.fixture
def cloning(running: Server) -> Iterator[Server]:
    """That server, without voices."""
    yield running
    forget(running)


def own(page: Tab, url: str) -> None:
    """Open the tab Speak, and Your voices in it."""
    go(page, url, "speak")
    press(page, "#own > summary")
    page.until(f"document.querySelector('#own-add').open || {HERE}")


def fill(page: Tab, name: str, said: str = "", consent: bool = True) -> None:
    fields = "document.querySelector('#own-form').elements"
    page.value(f"{fields}.name.value = {json.dumps(name)}; {fields}.text.value = {json.dumps(said)}")
    page.value(f"{fields}.consent.checked = {json.dumps(consent)}")


def store(page: Tab, file: Path, name: str, said: str = "") -> None:
    page.value("document.querySelector('#own-add').open = true")
    page.choose("#own-add input[type=file]", file)
    page.until(f"document.querySelector('#own .chosen').textContent.startsWith({json.dumps(file.name)})")
    fill(page, name, said)
    press(page, "button[form=own-form]")


def stored(server: Server) -> list[str]:
    with server.client() as client:
        return [voice["name"] for voice in client.get("/v1/audio/voices").json()["stored"]]


def forget(server: Server) -> None:
    with server.client() as client:
        for name in stored(server):
            assert client.delete(f"/v1/audio/voices/{name}").status_code == 200


def shown(page: Tab) -> list[str]:
    names: list[str] = page.value("[...document.querySelectorAll('#own-list span')].map(one => one.innerText)")
    return names


def choose_model(page: Tab, name: str) -> None:
    page.value(
        f"(s => {{ s.value = '{name}'; s.dispatchEvent(new Event('change')) }})"
        "(document.querySelector('#say').elements.model)"
    )


def failed(page: Tab, status: int) -> None:
    """Chromium tells of an answer with an error by itself."""
    assert f"status of {status}" in page.complaints.pop()


def test_a_voice_is_stored_spoken_with_and_deleted(page: Tab, cloning: Server, tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_bytes(recording(seconds=5))
    own(page, cloning.url)
    assert page.value("document.querySelector('#own-add').open") and text(page, "#own-models") == ""
    store(page, tmp_path / "ann.wav", " ann lee ", "Hello there.")
    page.until(HERE)
    assert shown(page) == ["ann lee 0:05"] and text(page, "#own-note") == "ann lee is stored."
    page.until("document.activeElement.dataset.voice")  # the next key speaks with it
    assert page.value("document.querySelector('#player').hidden")  # the recording is not in the player any more
    [record] = (json.loads(file.read_bytes()) for file in cloning.log.parent.rglob("record.json"))
    assert (record["name"], record["text"]) == ("ann lee", "Hello there.")
    assert record["consent"].startswith("ann lee: ") and record["consent"].endswith("has agreed.")

    press(page, "#own-list [data-voice]")
    assert text(page, "#voice") == "ann lee"
    assert page.value("document.querySelector('#own-list [data-voice]').ariaPressed") == "true"
    page.value("document.querySelector('#say').elements.input.value = 'Hello world.'")
    press(page, "#say > .primary")
    page.until("document.querySelector('#spoken .about')?.textContent.includes('ann lee')", 100)
    page.until("document.querySelector('#say > .primary').textContent === 'Speak'", 100)
    with cloning.client() as client:
        body = {"input": "Hello world.", "voice": "ann lee", "response_format": "pcm"}
        spoken = client.post("/v1/audio/speech", json=body)
    assert f"0:{len(spoken.content) // 48000:02} ·" in text(page, "#spoken .about")

    press(page, "#voice")  # among the model's own
    page.until("document.querySelectorAll('#voices-list li').length > 2")
    mine = page.value(
        "[...document.querySelectorAll('#voices-list .choose[aria-pressed=true]')].map(one => one.innerText)"
    )
    assert mine == ["ann lee\nyour voice · 0:05"]
    press(page, "#voices-close")

    press(page, '#own-list [aria-label="Delete ann lee"]')
    assert shown(page) == ["Delete ann lee for ever?"] and stored(cloning) == ["ann lee"]
    assert page.value("document.activeElement.ariaLabel") == "Keep ann lee"
    page.value("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))")
    assert shown(page) == ["ann lee 0:05"] and page.value("document.activeElement.ariaLabel") == "Delete ann lee"
    press(page, '#own-list [aria-label="Delete ann lee"]')
    press(page, '#own-list [aria-label="Delete ann lee for ever"]')
    page.until("document.querySelector('#own-note').textContent === 'ann lee is deleted.'")
    assert shown(page) == stored(cloning) == [] and text(page, "#voice") == "Default voice"
    press(page, "#player-close")


def test_the_microphone_gives_a_voice(page: Tab, cloning: Server) -> None:
    own(page, cloning.url)
    press(page, "#own .record")
    page.until("document.querySelector('#own time').textContent >= '0:02'")
    fill(page, "Me")
    press(page, "button[form=own-form]")
    assert text(page, "#own-error") == "Stop the recording first."
    press(page, "#own .record")
    page.until("document.querySelector('#player-seek').max > 1")  # it can be heard before it is stored
    press(page, "button[form=own-form]")
    page.until(HERE)
    assert stored(cloning) == ["Me"] and page.value("document.querySelector('#own .chosen').hidden")
    assert text(page, "#own .record") == "" and not page.value("document.querySelector('#own-add').open")


def test_nothing_is_stored_without_consent_a_name_and_a_recording(page: Tab, cloning: Server, tmp_path: Path) -> None:
    own(page, cloning.url)
    fill(page, "Ann")
    press(page, "button[form=own-form]")
    assert text(page, "#own-error") == "Choose a file or record one first."
    (tmp_path / "ann.wav").write_bytes(recording())
    page.choose("#own-add input[type=file]", tmp_path / "ann.wav")
    for name, consent, field in (("Ann", False, "consent"), ("", True, "name")):
        fill(page, name, consent=consent)
        press(page, "button[form=own-form]")
        assert page.value(INVALID) == [field]
        assert text(page, "#own-note") == ""
    assert stored(cloning) == []


@pytest.mark.parametrize(
    ("sound", "name", "status", "says"),
    [
        (recording(0.5), "Ann", 400, "the recording is too short: 1 to 60 s of one person who speaks"),
        (b"only words", "Ann", 415, "plain text"),
        (recording(1) + bytes(12 << 20), "Ann", 413, "over the limit of 11 MB"),
        (recording(), "voice_Ann", 400, "a voice cannot be called 'voice_Ann': a name has 1 to 64 letters"),
        (recording(), "af_heart", 400, "'af_heart' is a voice of kokoro-82m already: take another name"),
    ],
    ids=["short", "words", "large", "name", "taken"],
)
def test_what_the_server_refuses_is_said(
    page: Tab, cloning: Server, tmp_path: Path, sound: bytes, name: str, status: int, says: str
) -> None:
    (tmp_path / "ann.wav").write_bytes(sound)
    own(page, cloning.url)
    store(page, tmp_path / "ann.wav", name, "Hello.")
    page.until("!document.querySelector('#own-error').hidden")
    assert says in text(page, "#own-error") and text(page, "#own-note") == ""
    failed(page, status)
    kept = page.value("(({ name, text }) => [name.value, text.value])(document.querySelector('#own-form').elements)")
    assert kept == [name, "Hello."] and stored(cloning) == []


def test_a_model_that_cannot_is_told_with_those_that_can(page: Tab, cloning: Server, tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_bytes(recording())
    own(page, cloning.url)
    store(page, tmp_path / "ann.wav", "Ann")
    page.until(HERE)
    press(page, "#own-list [data-voice]")
    choose_model(page, "cosyvoice2-0.5b")  # clones, too: the voice stays
    assert text(page, "#voice") == "Ann" and text(page, "#own-models") == ""
    choose_model(page, "kokoro-82m")
    assert text(page, "#voice") == "Default voice"
    with cloning.client() as client:
        assert client.post("/v1/audio/speech", json={"input": "Hi.", "voice": "Ann"}).status_code == 200
    page.until(f"document.querySelector('#own-models').textContent.includes('{MODEL} (on this machine), ')")
    said = text(page, "#own-models")
    assert said.startswith("kokoro-82m cannot speak with your voices. Choose a model that can: ")
    assert ", f5-tts, " in said and "kokoro" not in said[12:] and "qwen3-tts-1.7b-voicedesign" not in said
    assert page.value("document.querySelector('#own-list [data-voice]').disabled")
    press(page, "#voice")
    page.until("document.querySelectorAll('#voices-list li').length > 50")
    assert "Ann" not in text(page, "#voices-list")
    press(page, "#voices-close")
    choose_model(page, MODEL)
    press(page, "#own-list [data-voice]")
    go(page, cloning.url, "speak")  # the next visit has the voice, and its model
    assert text(page, "#voice") == "Ann"
    page.until(f"document.querySelector('#say').elements.model.value === '{MODEL}'")
    forget(cloning)
    press(page, "#own > summary")  # where it is gone, it is chosen no longer
    page.until("document.querySelector('#voice').textContent === 'Default voice'")


def test_where_no_model_here_can_the_next_key_deletes_the_voice(page: Tab, plain: Server, tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_bytes(recording())
    own(page, plain.url)
    store(page, tmp_path / "ann.wav", "Ann")
    page.until("document.activeElement.ariaLabel === 'Delete Ann'")
    assert page.value("document.querySelector('#own-list [data-voice]').disabled")
    forget(plain)


def test_models_that_would_be_refused_are_not_advised(page: Tab, plain: Server) -> None:
    own(page, plain.url)
    said = text(page, "#own-models")
    assert "cosyvoice2-0.5b" in said and "pocket-tts" in said
    assert "f5-tts" not in said and "fishspeech" not in said


def test_a_name_of_the_owner_is_no_stored_voice(page: Tab, plain: Server) -> None:
    go(page, plain.url, "speak")
    press(page, "#voice")
    page.until("document.querySelectorAll('#voices-list li').length > 50")
    page.value("(s => { s.value = 'voice of ann'; s.oninput() })(document.querySelector('#voices-search'))")
    assert text(page, "#voices-list .choose") == "Voice of ann\nAmerican English · woman · same as af_bella"
    press(page, "#voices-list .choose")
    press(page, "#own > summary")
    page.until("document.querySelector('#own-add').open")  # those that are kept are known
    assert text(page, "#voice") == "Voice of ann"


HOLD = """
{ const real = fetch; window.fetch = async (url, options) => {
  if (options?.method === "POST") await new Promise((go) => (window.release = go));
  return real(url, options);
} } true
"""


def test_what_is_chosen_while_a_voice_is_stored_stays(page: Tab, cloning: Server, tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.wav").write_bytes(recording(seconds=len(name)))
    own(page, cloning.url)
    page.value(HOLD)
    store(page, tmp_path / "ann.wav", "Ann")
    page.until("Boolean(window.release)")
    page.choose("#own-add input[type=file]", tmp_path / "bob.wav")
    page.until("document.querySelector('#own .chosen').textContent.startsWith('bob.wav')")
    page.value("document.querySelector('#own-form').elements.name.value = 'Bob'")
    page.value("release()")
    page.until("document.querySelector('#own-note').textContent === 'Ann is stored.'")
    assert shown(page) == ["Ann 0:03"] and page.value("document.querySelector('#own-add').open")
    assert "bob.wav" in text(page, "#own .chosen") and text(page, "#player-title") == "bob.wav"
    press(page, "button[form=own-form]")
    assert page.value(INVALID) == ["consent"]  # Ann's is not Bob's
    page.value("document.querySelector('#own-form').elements.consent.checked = true; delete window.release")
    press(page, "button[form=own-form]")
    page.until("Boolean(window.release)")
    page.value("release()")
    page.until(f"{HERE} === 2")
    assert stored(cloning) == ["Ann", "Bob"] and not page.value("document.querySelector('#own-add').open")


def test_a_recording_that_runs_while_a_voice_is_stored_stays(page: Tab, cloning: Server, tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_bytes(recording())
    own(page, cloning.url)
    page.value(HOLD)
    store(page, tmp_path / "ann.wav", "Ann")
    page.until("Boolean(window.release)")
    press(page, "#own .record")
    page.until("document.querySelector('#own .record').textContent === 'Stop recording'")
    page.value("release()")
    page.until("document.querySelector('#own-note').textContent === 'Ann is stored.'")
    assert text(page, "#own .record") == "Stop recording"
    press(page, "#own .record")
    page.until("document.querySelector('#own .chosen').innerText.startsWith('Recording')")
    press(page, "#player-close")


def test_a_key_that_may_not_store_is_told_and_one_that_manages_may(page: Tab, imitator: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    use, manage = ("--scope", "use"), ("--scope", "manage")
    keys = [key(file, "add", name, *scopes).strip() for name, scopes in (("guest", use), ("owner", (*use, *manage)))]
    (tmp_path / "ann.wav").write_bytes(recording())
    with (
        serve(tmp_path / "locked", "--tts", str(imitator), SPEECHMLX_KEY_FILE=str(file)) as server,
        reverse_proxy(server.url) as url,
    ):
        page.go(f"{url}/#speak")
        press(page, "#own > summary")
        give(page, keys[0])
        page.until("document.querySelector('#own-add').open")
        store(page, tmp_path / "ann.wav", "Ann")
        page.until("document.querySelector('#own-error').textContent.includes('manage')")
        press(page, "#forget-key")
        give(page, keys[1])
        page.until("document.querySelector('#own-error').hidden")
        press(page, "button[form=own-form]")
        page.until(HERE)
        press(page, '#own-list [aria-label="Delete Ann"]')
        press(page, '#own-list [aria-label="Delete Ann for ever"]')
        page.until("document.querySelector('#own-note').textContent === 'Ann is deleted.'")
    page.complaints[:] = [one for one in page.complaints if "status of 40" not in one]


def hand(page: Tab, where: str, event: str, name: str) -> str:
    """Drop or paste a file; what the page says was chosen."""
    page.value(
        f"{{ const files = new DataTransfer(); files.items.add(new File(['RIFF'], '{name}'));"
        f" document.querySelector('{where}').dispatchEvent({event}) }} true"
    )
    return str(page.value("document.querySelector('#own .chosen').textContent"))


def test_a_file_is_dropped_and_pasted_where_the_part_is_open(page: Tab, cloning: Server) -> None:
    paste = "new ClipboardEvent('paste', { clipboardData: files, bubbles: true })"
    drop = "new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true })"
    go(page, cloning.url, "speak")
    assert hand(page, "body", paste, "ann.wav") == ""
    press(page, "#own > summary")
    page.until("document.querySelector('#own-add').open")
    assert hand(page, "body", paste, "ann.wav") == "ann.wav · 1 kB"
    assert hand(page, "#own [data-drop]", drop, "bob.wav") == "bob.wav · 1 kB"
    assert text(page, "#player-title") == "bob.wav"
    press(page, "#player-close")
