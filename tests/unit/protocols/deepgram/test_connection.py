"""A handshake: the subprotocol that is accepted, the language of the recogniser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from speechmlx.config import Config
from speechmlx.errors import Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.connection import Handshake, language_of, open_flux, recogniser, resolved, subprotocol
from speechmlx.protocols.http.model_names import LaunchedModel
from speechmlx.protocols.http.services import Services, build_services
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
    assert language_of(MODEL, "fr", True) == "fr"
    assert language_of(MODEL, None, True) is None
    assert language_of(replace(MODEL, languages=("fr",)), "en", False) is None
    assert language_of(MODEL, "en", False) == language_of(MODEL, "en", False, spoken=("de", "en")) == "en"
    assert language_of(MODEL, "en", False, spoken=("de",)) is None  # who names none means English, if it is spoken
    assert language_of(MODEL, "en", True, spoken=("de",)) == "en"
    assert language_of(MODEL, "en", False, "de") is None  # a launch refuses nobody
    with pytest.raises(Unsupported, match="de"):
        language_of(MODEL, "de", True)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """Of a server that was told of German, with a model that a client launched for French and one for English."""
    config = Config(cache=tmp_path, profile="starter", languages=("de",))
    services = build_services(config, Runtime(config, CATALOG))
    for uid, language in (("mine", "fr"), ("hers", "en"), ("plain", None)):
        services.names.launched[uid] = LaunchedModel(uid, "whisper-small", language)
    return services


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("model=mine", "fr"),
        ("model=hers", "en"),
        ("model=plain", None),
        ("model=mine&language=en", "en"),
        ("model=mine&language=multi", None),
        ("model=mine&detect_language=true", None),
        ("", None),
    ],
)
def test_a_launched_model_keeps_its_language(query: str, language: str | None, services: Services) -> None:
    for live in (False, True):
        options, _ = resolved(services.names, QueryParams(query), live)
        assert options.language == language


@pytest.mark.parametrize(
    ("query", "language"),
    [("model=mine", "fr"), ("model=hers", "en"), ("model=mine&language_hint=es", None), ("", None)],
)
async def test_a_launched_model_keeps_its_language_in_turns(
    query: str, language: str | None, services: Services
) -> None:
    wire, _ = open_flux(Handshake("id", QueryParams(query), services.names, services.runtime))
    assert wire.settings.transcription is not None and wire.settings.transcription.language == language


@pytest.mark.parametrize("named", [None, "nova-3", "base"])
def test_live_words_come_from_the_model_for_those_unless_the_client_names_one(
    named: str | None, tmp_path: Path
) -> None:
    config = Config(cache=tmp_path, models={"asr": "whisper-large-v3-turbo", "listen": "whisper-tiny.en"})
    services = build_services(config, Runtime(config, CATALOG))
    found = [recogniser(services.names, named, live)[0].name for live in (True, False)]
    assert found == (["whisper-base"] * 2 if named == "base" else ["whisper-tiny.en", "whisper-large-v3-turbo"])
