"""English to phonemes: dictionary, endings, heteronyms, function words, spelled and unknown words."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.errors import Unsupported
from speechmlx.reading.pronunciation import english, language, reader, spelling
from speechmlx.reading.pronunciation.english import English

VOWEL = re.compile("[AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻᵊ]")


@pytest.fixture(scope="module")
def model() -> spelling.Spelling:
    return spelling.load()


@pytest.fixture(scope="module")
def american(model: spelling.Spelling) -> English:
    return english.load(False, model)


@pytest.fixture(scope="module")
def british(model: spelling.Spelling) -> English:
    return english.load(True, model.british)


SAID = {
    "Hello, world!": "həlˈO, wˈɜɹld!",
    "the end of the day": "ði ˈɛnd ʌv ðə dˈA",
    "a cat and an animal": "ɐ kˈæt ænd ɐn ˈænəmᵊl",
    "He wants to eat.": "hˌi wˈɑnts tʊ ˈit.",
    "the dog's bones": "ðə dˈɔɡz bˈOnz",
    "I walked and wanted": "ˌI wˈɔkt ænd wˈɑntᵻd",
    "FBI": "ˌɛfbˌiˈI",
    "in the U.S. today": "ɪn ðə jˌuˈɛs tədˈA",
    "NASA": "nˈæsə",
    "“Yes” (no)": "“jˈɛs” (nˈO)",
    "THIS IS FOR US ALL": "ðɪs ɪz fɔɹ ˌʌs ˈɔl",
    "mlx": "ˌɛmˌɛlˈɛks",
    "twenty-one": "twˈɛnti wˈʌn",
}


@pytest.mark.parametrize(("text", "phonemes"), SAID.items())
def test_american(american: English, text: str, phonemes: str) -> None:
    assert american(text) == phonemes


def test_british(british: English) -> None:
    assert british("The car won't go far") == "ðə kˈɑː wQnt ɡˌQ fˈɑː"


HETERONYMS = [
    ("I will record it.", "ɹəkˈɔɹd"),
    ("a new record", "ɹˈɛkəɹd"),
    ("I read it yesterday.", "ɹˈɛd"),
    ("I will read it.", "ɹˈid"),
    ("They live here.", "lˈɪv"),
    ("a live wire", "lˈIv"),
    ("wind the sail", "wˈInd"),
    ("the wind blows", "wˈɪnd"),
    ("close the door", "klˈOz"),
    ("a close friend", "klˈOs"),
    ("to use it", "jˈuz"),
    ("the use of it", "jˈus"),
    ("I used to go.", "jˈust"),
    ("I used it.", "jˈuzd"),
    ("I object to it.", "əbʤˈɛkt"),
    ("the object", "ˈɑbʤəkt"),
    ("present the winner", "pɹizˈɛnt"),
    ("a present for you", "pɹˈɛzᵊnt"),
    ("to desert the army", "dəzˈɜɹt"),
    ("in the desert", "dˈɛzəɹt"),
    ("her tears fell", "tˈɪɹz"),
    ("tear it up", "tˈɛɹ"),
]


@pytest.mark.parametrize(("text", "sound"), HETERONYMS)
def test_heteronyms(american: English, text: str, sound: str) -> None:
    assert sound in american(text).replace("T", "ɾ")


@settings(deadline=None)  # the first call reads the dictionaries
@given(st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_every_word_is_said(word: str) -> None:
    assert reader("en-us")(word).strip("ˈˌ "), word  # some, like "mm", have no vowel


def test_unknown_words_are_spelled_as_they_look(model: spelling.Spelling) -> None:
    assert [model(w) for w in ("blick", "thrane", "shoptop")] == ["blˈɪk", "θɹˈAn", "ʃˈɑptˌɑp"]
    assert all(model(w).count("ˈ") == 1 for w in ("kubernetes", "bartholomew", "zylophranix"))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("en", "en"),
        ("EN_us", "en-us"),
        ("fr-FR", "fr"),
        ("pt-BR", "pt"),
        ("zh-Hans-CN", "zh"),
        ("eng", "en"),
        ("cmn", "zh"),
    ],
)
def test_language(code: str, name: str) -> None:
    assert language(code) == name


def test_unknown_languages_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match=r"'tlh'.*en-gb"):
        language("tlh")


def test_reading_english_loads_neither_spacy_nor_espeak_nor_mlx() -> None:
    code = (
        "import json, sys; from speechmlx.reading.pronunciation import reader; reader('en-us')('Kubernetes');"
        "print(json.dumps([m for m in ('spacy', 'torch', 'phonemizer', 'mlx.core') if m in sys.modules]))"
    )
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []


@pytest.mark.parametrize(
    ("name", "text"), [("fr", "Bonjour."), ("es", "Hola."), ("ja", "こんにちは。"), ("zh", "你好。")]
)
def test_other_languages_are_read_or_name_their_extra(name: str, text: str) -> None:
    extra = name if name in ("ja", "zh") else "espeak"
    try:
        assert VOWEL.search(reader(name)(text))
    except Unsupported as error:
        assert f"speechmlx[{extra}]" in str(error)  # noqa: PT017 - it depends on what is installed
