"""Which recognisers are the defaults, by profile and by what people speak."""

from __future__ import annotations

from itertools import combinations

import pytest

from speechmlx import languages
from speechmlx.config import LISTEN, Config
from speechmlx.machine import CACHE_SHARE, least_memory
from speechmlx.models.catalog import CATALOG
from speechmlx.models.rows.by_language import BY_LANGUAGE
from speechmlx.types import Kind

PARAKEET, QWEN, TURBO = "parakeet-tdt-0.6b-v3", "qwen3-asr-1.7b-8bit", "whisper-large-v3-turbo"
NEMOTRON, SMALL, ALIGNER = "nemotron-3.5-asr-streaming-0.6b", "whisper-small", "qwen3-forced-aligner-0.6b"
CHAT = 8192 * 147_000
"""Bytes of keys and values of a chat of the most tokens."""


@pytest.mark.parametrize("profile", ["standard", "large"])
@pytest.mark.parametrize(
    ("spoken", "recordings", "live", "aligner"),
    [
        ("", TURBO, SMALL, None),
        ("en", PARAKEET, NEMOTRON, None),
        ("de fr", PARAKEET, NEMOTRON, None),
        ("el", PARAKEET, PARAKEET, None),
        ("de sl", PARAKEET, PARAKEET, None),
        ("zh", QWEN, NEMOTRON, ALIGNER),
        ("zh en ru", QWEN, NEMOTRON, ALIGNER),
        ("ja", QWEN, NEMOTRON, None),  # the aligner needs a package for it
        ("en ja ko", QWEN, NEMOTRON, None),
        ("yue", QWEN, TURBO, ALIGNER),  # whisper-small has no Cantonese
        ("tr", QWEN, NEMOTRON, None),
        ("en th", QWEN, SMALL, None),
        ("sv zh", QWEN, NEMOTRON, None),  # the aligner has no Swedish
        ("tl", QWEN, SMALL, None),
        ("no", TURBO, NEMOTRON, None),
        ("he", TURBO, SMALL, None),
        ("yue th", QWEN, TURBO, None),
        ("yue he", TURBO, TURBO, None),
    ],
)
def test_the_choice(profile: str, spoken: str, recordings: str, live: str, aligner: str | None) -> None:
    config = Config(profile=profile, languages=tuple(spoken.split()))
    CATALOG.check(config)
    assert CATALOG.default(Kind.ASR, config).name == recordings
    assert CATALOG.listener(config).name == live
    assert (Kind.ALIGN in CATALOG.kinds(config)) == (aligner is not None)
    names = {row.name for row in CATALOG.defaults(config)}
    assert {recordings, live} <= names and (aligner is None or aligner in names)
    assert set(CATALOG.models_of(profile, config.languages)) == names


def test_starter_asks_for_no_language() -> None:
    for spoken in ((), ("zh",), ("de", "fr")):
        config = Config(profile="starter", languages=spoken)
        assert CATALOG.default(Kind.ASR, config).name == CATALOG.listener(config).name == "whisper-base"
        assert CATALOG.by_languages(config) == {} and Kind.ALIGN not in CATALOG.kinds(config)


def test_who_names_a_model_has_it() -> None:
    named = Config(profile="standard", languages=("zh",), models={"asr": "whisper-medium"})
    assert CATALOG.default(Kind.ASR, named).name == CATALOG.listener(named).name == "whisper-medium"
    assert CATALOG.by_languages(named) == {} and Kind.ALIGN not in CATALOG.kinds(named)
    live = Config(profile="standard", languages=("zh",), models={LISTEN: "whisper-base"})
    assert CATALOG.listener(live).name == "whisper-base"
    assert CATALOG.by_languages(live) == {"asr": QWEN, "align": ALIGNER}


def test_what_the_languages_decide() -> None:
    assert CATALOG.by_languages(Config(profile="large", languages=("de",))) == {"asr": PARAKEET, LISTEN: NEMOTRON}
    assert CATALOG.by_languages(Config(profile="large")) == {}


@pytest.mark.parametrize("profile", list(BY_LANGUAGE))
def test_each_language_is_heard_and_each_choice_fits(profile: str) -> None:
    """Beside a long chat, and what MLX keeps, in the two thirds of a Mac's memory that its GPU may use."""
    memory = least_memory(profile)
    for spoken in [(code,) for code in languages.NAMES] + list(combinations(("de", "el", "ja", "tr", "th", "yue"), 2)):
        config = Config(profile=profile, languages=spoken)
        for row in (CATALOG.default(Kind.ASR, config), CATALOG.listener(config)):
            assert languages.all_in(spoken, row.languages), (spoken, row.name)
        weights = sum(row.bytes_as("float16") for row in CATALOG.defaults(config))
        assert weights + CHAT + CACHE_SHARE * memory < memory * 2 / 3, spoken


def test_the_table_names_recognisers_and_live_ones_time_words() -> None:
    for order in BY_LANGUAGE.values():
        for one in order.recordings + order.live:
            row = CATALOG.resolve(one.model, Kind.ASR)
            assert row.runnable and not row.limits_use and bool(one.aligner) == row.untimed
            assert not one.aligner or set(one.aligned) <= set(CATALOG.resolve(one.aligner, Kind.ALIGN).languages)
        assert not any(CATALOG.resolve(one.model).untimed for one in order.live)
        for last in (order.recordings[-1], order.live[-1]):
            assert set(languages.NAMES) <= set(CATALOG.resolve(last.model).languages)


def test_models_that_translate_are_named_those_at_hand_first() -> None:
    names = CATALOG.translators(Config(profile="standard", languages=("de",)))
    assert names[0] == "whisper-base" and {"whisper-small", "whisper-large-v3"} <= set(names)
    assert not {PARAKEET, NEMOTRON, QWEN, "whisper-tiny.en", "sensevoice-small"} & set(names)
    assert CATALOG.translators(Config(profile="standard", languages=("he",)))[:2] == (TURBO, SMALL)
