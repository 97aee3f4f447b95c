"""The vocabulary: ids are OpenAI's, words come apart where people would cut them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.errors import Unsupported
from speechmlx.types import Listen

ENGLISH, ALL, LARGE_V3 = Vocabulary(51864), Vocabulary(51865), Vocabulary(51866)


def test_special_ids() -> None:
    assert (ENGLISH.eot, ENGLISH.sot, ENGLISH.timestamps) == (50256, 50257, 50363)
    assert (ALL.eot, ALL.sot, ALL.no_timestamps, ALL.timestamps) == (50257, 50258, 50363, 50364)
    assert (LARGE_V3.timestamps, len(LARGE_V3.languages), LARGE_V3.languages[-1]) == (50365, 100, "yue")
    assert ALL.start("fr", "translate") == [50258, 50265, 50358]
    assert ALL.start("en", "transcribe") == [50258, 50259, 50359]
    assert ENGLISH.start("en", "transcribe") == [50257]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        *(("en", "en"), ("EN-us", "en"), ("Spanish", "es"), ("zh_CN", "zh"), ("mandarin", "zh"), ("nb-NO", "no")),
        *(("iw", "he"), ("in", "id"), ("fil", "tl"), ("jv", "jw"), ("cmn", "zh"), ("deu", "de"), ("zh-Hant", "zh")),
    ],
)
def test_languages_by_code_region_and_name(asked: str, code: str) -> None:
    assert ALL.language_code(asked) == code


def test_unknown_languages_are_named_with_what_is_allowed() -> None:
    with pytest.raises(
        Unsupported, match=r"'tlh' is not known .*; it knows th, tl, .* and 93 more \(GET /v1/models/NAME lists"
    ):
        ALL.language_code("tlh")
    with pytest.raises(
        Unsupported, match=r"'jp' is not known to this model \(did you mean 'ja', japanese\?\); it knows"
    ):
        ALL.language_code("jp")
    assert LARGE_V3.language_code("zh-yue") == "yue"
    with pytest.raises(Unsupported, match=r"'yue' is not known"):
        ALL.language_code("yue")
    with pytest.raises(Unsupported, match=r"it knows en$"):
        ENGLISH.language_code("de")


def test_what_may_be_spoken() -> None:
    some = ("de", "French", "german")
    assert ALL.candidates(Listen()) == ()
    assert ALL.candidates(Listen(languages=(*some, "tlh"))) == ("de", "fr")
    assert ALL.candidates(Listen(languages=some, language="en-US")) == ("en",)
    assert ENGLISH.candidates(Listen()) == ENGLISH.candidates(Listen(languages=("de", "en"))) == ("en",)
    for vocabulary, languages in ((ALL, ("tlh",)), (ENGLISH, some)):
        with pytest.raises(Unsupported, match="is not known to this model"):
            vocabulary.candidates(Listen(languages=languages))


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        (" Hello, wonderful world!", "en", [" Hello", ",", " wonderful", " world", "!"]),
        ("我爱北京", "zh", ["我", "爱", "北", "京"]),
        (" naïve café", "fr", [" naïve", " café"]),
        (" 🤖 hi", "en", [" 🤖", " hi"]),
    ],
)
def test_words(text: str, language: str, words: list[str]) -> None:
    tokens = ALL.encode(text)
    found = ALL.words(tokens, language)
    assert [word.text for word in found] == words
    assert [token for word in found for token in word.tokens] == tokens


def test_half_a_character_is_kept_as_it_is() -> None:
    tokens = ALL.encode(" 🤖")[:-1]
    assert "�" in ALL.words(tokens, "en")[-1].text
    assert b"".join(ALL.utf8(token) for token in ALL.encode(" 🤖")).decode() == " 🤖"


def test_special_text_is_only_text() -> None:
    spelled = "<|startoftranscript|><|en|><|translate|><|startofprev|><|notimestamps|><|1.00|> <|endoftext|>"
    assert max(ALL.encode(spelled)) < ALL.eot and ALL.decode(ALL.encode(spelled)) == spelled


def test_importing_the_engine_leaves_slow_packages_out() -> None:
    code = "import sys, speechmlx.engines.whisper; print({'numba', 'scipy', 'torch', 'mlx_whisper'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
