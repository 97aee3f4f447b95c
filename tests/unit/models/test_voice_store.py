"""Stored voices and consents, and how a catalog's models know them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest, SpeechError, UnknownRecording, UnknownVoice
from speechmlx.models.catalog import CATALOG
from speechmlx.models.kept_recordings import RATE
from speechmlx.models.voice_store import (
    MOST_KEPT,
    VoiceStore,
    check_label,
    check_recording,
    default_folder,
    reference,
    voice_id,
    with_voices,
)
from speechmlx.types import Audio, Kind, NamedVoice, ReferenceVoice

SENTENCE = "I am Ann, and I agree."


def tone(seconds: float = 1.5, level: float = 0.5) -> Audio:
    return Audio((level * np.sin(np.arange(round(seconds * RATE)) / 30)).astype(np.float32), RATE)


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    return VoiceStore(tmp_path / "voices")


def test_a_voice_is_found_by_its_name_and_its_id(store: VoiceStore) -> None:
    assert store.voices() == [] and store.find("Ann") is None
    made = store.add("Ann Lee", tone(), "Hello.", SENTENCE)
    assert (made.name, made.seconds, made.text, made.consent) == ("Ann Lee", 1.5, "Hello.", SENTENCE)
    for name in ("Ann Lee", " ann-lee ", "ANN_LEE", made.id):
        found = store.find(name)
        assert found is not None and (found.text, found.id) == ("Hello.", made.digest)
        assert np.abs(found.audio.samples - tone().samples).max() < 1e-4 and store.voice(name) == made
    store.add("Élodie", tone(), "", SENTENCE)
    assert store.voice("E\u0301LODIE").name == "Élodie"
    assert store.names() == ("Ann Lee", "Élodie")
    assert store.remove("ann lee") == made.id and store.find(made.id) is None
    with pytest.raises(UnknownRecording, match=r"^no stored voice 'ann lee'; stored are: Élodie$"):
        store.remove("ann lee")


def test_the_same_recording_has_the_same_digest_in_any_voice(store: VoiceStore) -> None:
    first, second = (store.add(name, tone(), "", SENTENCE) for name in ("Ann", "Bob"))
    assert first.digest == second.digest != store.add("Cid", tone(level=0.4), "", SENTENCE).digest
    samples = tone()
    assert reference(samples, "a").id == reference(Audio(samples.samples.copy(), RATE), "b").id
    assert reference(samples, "").id != reference(Audio(samples.samples, 24000), "").id


@pytest.mark.parametrize(
    "name", ["", " Ann", "Ann/Lee", "../Ann", "a+b", "a*2", "a(2)", "A\nB", "-", "_x", "voice_1", "x" * 65, "👍", "a:b"]
)
def test_names_that_no_voice_can_have(store: VoiceStore, name: str) -> None:
    with pytest.raises(
        BadRequest, match=r"^a voice cannot be called .*: a name has 1 to 64 letters, digits, blanks and"
    ):
        store.add(name, tone(), "", SENTENCE)


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (tone(0.9), "^the recording is too short: 1 to 60 s of one person who speaks$"),
        (Audio(np.zeros(0, np.float32), RATE), "too short"),
        (tone(60.1), "^the recording is too long: 1 to 60 s"),
        (tone(2, 1e-4), "^the recording is silent: it must hold one person who speaks$"),
    ],
)
def test_recordings_that_hold_no_voice(store: VoiceStore, audio: Audio, says: str) -> None:
    for keep in (lambda: store.add("Ann", audio, "", SENTENCE), lambda: store.add_consent("Ann", "en", audio)):
        with pytest.raises(BadRequest, match=says):
            keep()
    assert not store.voices() and not store.consents()
    check_recording(tone(1.0))


def test_what_else_is_refused(store: VoiceStore) -> None:
    store.add("Ann", tone(), "", SENTENCE)
    refused: list[tuple[tuple[str, str, str], type[SpeechError], str]] = [
        (("ANN", "", SENTENCE), BadRequest, "^there is a voice 'ANN': delete it first, or take another name$"),
        (("Bob", "x" * 2001, SENTENCE), BadRequest, "have at most 2000 characters each"),
        (("Bob", "", "x" * 2001), BadRequest, "have at most 2000 characters each"),
        (("Bob", "", "cons_1"), UnknownRecording, "^no consent 'cons_1'; stored are: none$"),
    ]
    for (name, text, consent), error, says in refused:
        with pytest.raises(error, match=says):
            store.add(name, tone(), text, consent)
    for label in ("", "  ", "x" * 201, "a\nb"):
        with pytest.raises(BadRequest, match=r"^a consent cannot be called"):
            check_label(label)


def test_so_many_and_no_more(store: VoiceStore) -> None:
    made = store.add("Ann", tone(1), "", SENTENCE)
    home = store._kept.folder
    for number in range(MOST_KEPT - 1):
        (home / f"voice_{number:024x}").mkdir()
    with pytest.raises(BadRequest, match=r"^100 recordings are kept, which is the limit: delete one first$"):
        store.add("Bob", tone(1), "", SENTENCE)
    store.remove(made.id)
    store.add("Bob", tone(1), "", SENTENCE)


def test_of_several_that_take_one_name_one_has_it(store: VoiceStore, tmp_path: Path) -> None:
    def take(number: int) -> str | None:
        try:
            return VoiceStore(tmp_path / "voices").add("Ann", tone(1, 0.1 * number), "", str(number)).consent
        except BadRequest:
            return None

    with ThreadPoolExecutor(4) as pool:
        won = [one for one in pool.map(take, range(1, 9)) if one is not None]
    assert [store.voice("Ann").consent] == won


def test_consents(store: VoiceStore) -> None:
    first, second = (store.add_consent(name, "en-US", tone()) for name in ("Ann", "Bob"))
    assert set(store.consents()) == {first, second} and store.consent(first.id) == first
    voice = store.add("Ann", tone(), "", first.id)
    with pytest.raises(
        BadRequest, match=rf"^the consent {first.id} is that of the voice 'Ann': delete the voice first$"
    ):
        store.remove_consent(first.id)
    assert store.rename_consent(second.id, "Bob B.") == replace(second, name="Bob B.") == store.consent(second.id)
    for ask in (store.consent, store.remove_consent, lambda id: store.rename_consent(id, "x")):
        for id in (voice.id, "cons_1", "../x"):
            with pytest.raises(UnknownRecording, match=r"no consent"):
                ask(id)
    store.remove("Ann")
    store.remove_consent(first.id)
    assert [consent.name for consent in store.consents()] == ["Bob B."]


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHMLX_VOICE_FOLDER", "~/voices")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder(Config()) == tmp_path / "voices"
    assert default_folder(Config(voice_folder=tmp_path)) == tmp_path
    monkeypatch.delenv("SPEECHMLX_VOICE_FOLDER")
    assert default_folder(Config()).parts[-2:] == ("speechmlx", "voices")


def test_models_that_speak_know_them(store: VoiceStore) -> None:
    imitating = replace(CATALOG.resolve("kokoro"), name="imitating")
    imitating = replace(imitating, voices=replace(imitating.voices, imitates=True))
    config = Config(voices={"Boss": "ann", "alloy": "bm_george", "echo": "nobody", "loop": "boss"})
    catalog = with_voices(replace(CATALOG, rows=(*CATALOG.rows, imitating)), config, store)
    kokoro, other = (catalog.resolve(name).voices for name in ("kokoro", "imitating"))
    store.add("Ann", tone(), "Hello.", SENTENCE)
    found = other.resolve("boss")
    assert isinstance(found, ReferenceVoice) and found.text == "Hello." and other.resolve(voice_id("ann")) is not None
    assert other.resolve("Alloy") == kokoro.resolve("alloy") == NamedVoice("bm_george")
    assert other.known[-1] == "Ann" and "Ann" not in kokoro.known and other.has("ANN") and not kokoro.has("ANN")
    says = {
        "ann": r"^the voice 'ann' is a recording, and this model imitates none: choose another model, or one of its "
        r"voices: af_alloy, .* 48 more \(GET /v1/audio/voices lists all\)$",
        "BOSS": "^'BOSS' is 'ann' by the setting voices: the voice 'ann' is a recording",
        "echo": "^'echo' is 'nobody' by the setting voices: no voice 'nobody'; the voices are",
        "loop": "^'loop' is 'boss' by the setting voices: no voice 'boss'",
        "ann+af_sky": "^no voice 'ann'; the voices are",
    }
    for name, message in says.items():
        with pytest.raises(UnknownVoice, match=message):
            kokoro.resolve(name)
    assert other.owns("boss") and other.owns("af_sky") and not other.owns("ann")
    whisper = catalog.default(Kind.ASR, Config(profile="starter"))
    assert whisper.voices.kept is None and catalog.resolve("kokoro") is catalog.resolve("kokoro-82m")


def test_models_that_are_admitted_later_know_them_too(store: VoiceStore) -> None:
    rows = [replace(CATALOG.resolve("kokoro"), name="later")]
    catalog = with_voices(replace(CATALOG, admitted=lambda: tuple(rows)), Config(), store)
    assert catalog.resolve("later").voices.kept is store
    rows.clear()
    assert "later" not in [row.name for row in catalog.all_rows]
