"""What a lexicon adds to requests: pronunciations to synthesis, names to recognition, nothing to others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest
from speechmlx.runtime.front.user_lexicon import load_entries, with_lexicon
from speechmlx.types import Audio, DetectSpeech, Listen, Pronunciation, Speak, SpeakStream, Transcribe

WIN = Pronunciation("Nguyen", "win", language="en")
NANTE = Pronunciation("Nantes", "nante", language="fr")
ANY = Pronunciation("C++", "see plus plus")
ENTRIES = (WIN, NANTE, ANY)
AUDIO = Audio(np.zeros(8, np.float32), 16000)


def test_the_file_of_the_config_is_read(tmp_path: Path) -> None:
    (tmp_path / "lexicon.toml").write_text('[en]\nNguyen = "win"\n')
    assert load_entries(Config(lexicon=tmp_path / "lexicon.toml")) == (WIN,)
    assert load_entries(Config()) == ()
    with pytest.raises(BadRequest, match="cannot be read"):
        load_entries(Config(lexicon=tmp_path / "none"))


def test_speech_gets_the_entries_after_its_own() -> None:
    own = Pronunciation("Nguyen", "new yen")
    assert with_lexicon(Speak(text="Hi.", pronunciations=(own,)), ENTRIES).pronunciations == (own, *ENTRIES)  # type: ignore[attr-defined]
    assert with_lexicon(SpeakStream(), ENTRIES).pronunciations == ENTRIES  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (Listen(), ("Nguyen", "Nantes", "C++")),
        (Listen(language="en"), ("Nguyen", "C++")),
        (Listen(language="fr-CA"), ("Nantes", "C++")),
        (Listen(hotwords=("C++", "Rust")), ("Nguyen", "Nantes")),
        (Listen(names=("Zeno", "Nguyen")), ("Zeno", "Nguyen", "Nantes", "C++")),
        (Transcribe(audio=AUDIO, language="en"), ("Nguyen", "C++")),
    ],
)
def test_recognition_gets_the_names_of_its_language(request_: Listen | Transcribe, names: tuple[str, ...]) -> None:
    changed = with_lexicon(request_, ENTRIES)
    assert changed.names == names and changed.hotwords == request_.hotwords  # type: ignore[attr-defined]


def test_nothing_else_changes() -> None:
    for request in (Speak(text="Hi."), Listen(), DetectSpeech()):
        assert with_lexicon(request, ()) is request
    assert with_lexicon(DetectSpeech(), ENTRIES) == DetectSpeech()
