"""A handshake: the subprotocol that is accepted, the language of the recogniser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from speechmlx.config import Config
from speechmlx.errors import Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.connection import language_of, recogniser, subprotocol
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

MODEL = replace(CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR]), languages=("en", "fr"))


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [([], None), (["token", "KEY"], "token"), (["Bearer", "KEY"], "Bearer"), (["KEY"], None)],
)
def test_a_subprotocol_is_never_a_key(offered: list[str], accepted: str | None) -> None:
    assert subprotocol(offered) == accepted


def test_a_language_that_the_model_lacks_is_refused_where_it_was_asked_for() -> None:
    assert language_of(MODEL, "fr", False) == "fr"
    assert language_of(MODEL, None, False) is None
    assert language_of(replace(MODEL, languages=("fr",)), "en", True) is None
    assert language_of(MODEL, "en", True) == language_of(MODEL, "en", True, ("de", "en")) == "en"
    assert language_of(MODEL, "en", True, ("de",)) is None  # a client that names none means English, if it is spoken
    assert language_of(MODEL, "en", False, ("de",)) == "en"
    with pytest.raises(Unsupported, match="de"):
        language_of(MODEL, "de", False)


@pytest.mark.parametrize("named", [None, "nova-3", "base"])
def test_live_words_come_from_the_model_for_those_unless_the_client_names_one(
    named: str | None, tmp_path: Path
) -> None:
    config = Config(cache=tmp_path, models={"asr": "whisper-large-v3-turbo", "listen": "whisper-tiny.en"})
    services = build_services(config, Runtime(config, CATALOG))
    found = [recogniser(services.names, named, live)[0].name for live in (True, False)]
    assert found == (["whisper-base"] * 2 if named == "base" else ["whisper-tiny.en", "whisper-large-v3-turbo"])
