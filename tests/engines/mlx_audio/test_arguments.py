from __future__ import annotations

from typing import Any

import pytest

from speechmlx.engines.mlx_audio.arguments import Accepted, spelt_language
from speechmlx.errors import BadRequest, Unsupported


def generate(
    text: str,
    voice: str = "",
    temperature: float = 0.7,
    top_k: int = 50,
    max_new_tokens: int = 100,
    do_sample: bool = True,
    mode: str = "fast",
    limit: int | None = None,
    ignored: float = 1.0,
    sampler: Any = object(),  # noqa: B008
    **kwargs: Any,
) -> Any:
    def inner() -> Any:
        return voice, limit

    return text, temperature, top_k, max_new_tokens, do_sample, mode, sampler, inner()


ACCEPTED = Accepted.by("odd", generate)


def test_what_is_read_is_accepted() -> None:
    assert "voice" in ACCEPTED and "limit" in ACCEPTED and "sampler" in ACCEPTED
    assert "ignored" not in ACCEPTED and "kwargs" not in ACCEPTED
    assert ACCEPTED.options == ("do_sample", "limit", "max_new_tokens", "mode", "temperature", "top_k")
    assert ACCEPTED.first("speed", "voice") == "voice" and ACCEPTED.first("speed") is None


def test_options_become_arguments() -> None:
    options = {
        "temperature": 1,
        "top_k": 3.0,
        "max_tokens": 7,
        "do_sample": False,
        "mode": "slow",
        "limit": 4,
        "seed": 1,
    }
    found = ACCEPTED.read({**options, "seed": 1}, ("seed",))
    assert found == {
        "temperature": 1,
        "top_k": 3,
        "max_new_tokens": 7,
        "do_sample": False,
        "mode": "slow",
        "limit": 4,
    }
    assert isinstance(found["top_k"], int)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": 3}, "temperature 3 is out of range: 0 to 2"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"temperature": True}, "temperature must be a number"),
        ({"top_k": 2.5}, r"top_k must be a whole number, not 2\.5"),
        ({"max_tokens": 0}, "max_tokens 0 is out of range: 1 to 32768"),
        ({"do_sample": 1}, "do_sample must be true or false, not 1"),
        ({"limit": "/etc/passwd"}, "limit must be a number, not '/etc/passwd'"),
        ({"mode": 1}, "mode must be a text, not 1"),
    ],
)
def test_wrong_values(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        ACCEPTED.read(options)


@pytest.mark.parametrize("name", ["ignored", "sampler", "speed", "text", "voice"])
def test_what_is_not_taken(name: str) -> None:
    takes = "its options are do_sample, limit, max_new_tokens, mode, seed, temperature, top_k"
    with pytest.raises(Unsupported, match=f"odd has no option '{name}'; {takes}"):
        ACCEPTED.read({name: 1}, ("seed",))


@pytest.mark.parametrize(
    ("language", "known", "spelt"),
    [
        ("en", ["auto", "en-US", "en-GB"], "en-US"),
        ("en-GB", ["en-US", "en-GB"], "en-GB"),
        ("German", ["English", "German"], "German"),
        ("de-AT", ["English", "German"], "German"),
        ("no", ["en-US", "nb-NO"], "nb-NO"),
        ("yue", ["zh", "yue"], "yue"),
    ],
)
def test_languages_as_a_model_spells_them(language: str, known: list[str], spelt: str) -> None:
    assert spelt_language(language, known) == spelt


def test_a_language_that_a_model_lacks_is_named_with_those_that_it_has() -> None:
    with pytest.raises(Unsupported, match="language 'sw' is none of this model's: en-US, de-DE"):
        spelt_language("sw", ["en-US", "de-DE"])
