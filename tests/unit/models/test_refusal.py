from __future__ import annotations

import re

import numpy as np
import pytest

from speechmlx.config import Config
from speechmlx.errors import BadRequest, UnknownModel, Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.models.refusal import refuse
from speechmlx.types import Audio, Load, NamedVoice, ReferenceVoice, Speak

ROW = CATALOG.resolve("MegaTTS3")
RECORDING = ReferenceVoice(Audio(np.zeros(36_000, np.float32), 24_000), "", "1")


def test_a_model_that_runs_is_not_refused() -> None:
    refuse(CATALOG.resolve("kokoro"))
    refuse(CATALOG.resolve("kokoro"), Speak(text="hello"))


@pytest.mark.parametrize(
    ("request_", "missing"),
    [
        (Speak(text="hi"), "no prompt_speech and no prompt_latent"),
        (Speak(text="hi", voice=NamedVoice("echo"), options={"prompt_latent": b""}), "no prompt_speech and no prompt_"),
        (Speak(text="hi", voice=RECORDING), "there is no prompt_latent"),
        (Speak(text="hi", options={"prompt_latent": b"npy"}), "there is no prompt_speech:"),
    ],
)
def test_it_says_what_a_request_lacks(request_: Speak, missing: str) -> None:
    with pytest.raises(BadRequest, match="megatts3 requires prompt_speech and prompt_latent") as refused:
        refuse(ROW, request_)
    assert missing in str(refused.value)
    assert "model.speech(text, prompt_speech=open(..., 'rb').read(), prompt_latent=open(" in str(refused.value)


def test_it_says_why_nothing_helps() -> None:
    whole = Speak(text="hi", voice=RECORDING, options={"prompt_latent": b"12345"})
    with pytest.raises(
        Unsupported, match=r"^a recording of 1.5 s and a latent of 5 bytes arrived, but megatts3 cannot"
    ):
        refuse(ROW, whole)
    for request in (None, Load(model="megatts3")):
        with pytest.raises(Unsupported, match=r"^megatts3 cannot run here: its authors never published the encoder"):
            refuse(ROW, request)


def test_the_models_that_it_names_imitate_recordings() -> None:
    named = re.findall(r"[a-z0-9]+-[\w.-]*\w", ROW.refusal.partition("needs no latent: ")[2].partition(", as in")[0])
    assert len(named) == 4
    for name in named:
        row = CATALOG.resolve(name)
        assert row.name == name and row.runnable and row.voices.imitates


def test_it_is_no_default_and_in_no_list() -> None:
    assert "megatts3" not in CATALOG.names()
    with pytest.raises(UnknownModel, match="megatts3 cannot run here: its authors"):
        CATALOG.check(Config(models={"tts": "megatts3"}))
