"""English to phonemes: dictionary, endings, heteronyms, function words, spelled and unknown words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading import Pause, SpokenWord, Token, read
from speechmlx.reading.pronunciation import (
    Reader,
    alphabet,
    english,
    joined,
    language,
    reader,
    spelling,
)
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


def line(reader: Reader, text: str, language: str = "en-us") -> str:
    """The phonemes of a text, without the stop that ends what has none."""
    phonemes = joined(reader.phonemes(read(text, language)))
    return phonemes if text.endswith((".", "。")) else phonemes.removesuffix(".")


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
    'the "old" way, "new"': "ði “ˈOld” wˈA, “nˈu”",
    "THIS IS FOR US ALL": "ðɪs ɪz fɔɹ ˌʌs ˈɔl",
    "mlx": "ˌɛmˌɛlˈɛks",
    "twenty-one": "twˌɛntiwˈʌn",
}


@pytest.mark.parametrize(("text", "phonemes"), SAID.items())
def test_american(american: English, text: str, phonemes: str) -> None:
    assert line(american, text) == phonemes


CONTRACTED = {
    "should've would've must've": "ʃʊdəv wʊdəv mˈʌstəv",
    "that'll who'll the cat'll": "ðæTᵊl hˌul ðə kˈæTᵊl",
    "how'd that'd there'd Tom'd": "hˌWd ðæTəd ðɛɹd tˈɑməd",
    "I'd've gone, y'all": "ˌIdəv ɡˈɔn, jˈɔl",
    "it's five o'clock": "ɪts fˈIv əklˈɑk",
    "rock 'n' roll, get 'em, 'til noon": "ɹˈɑk ən ɹˈOl, ɡɛt əm, tˈɪl nˈun",
    "nothin' goin' runnin'": "nˈʌθɪn ɡˈOɪn ɹˈʌnɪn",
    "'Fine,' he said.": "“fˈIn,” hi sˈɛd.",
    "the dogs' James's boss's": "ðə dˈɔɡz ʤˈAmzᵻz bˈɔsᵻz",
    "they're aren't won't mayn't": "ðɛɹ ˌɑɹnt wOnt mˈAᵊnt",
    "who’s": "hˌuz",
}
HYPHENATED = {
    "Wi-Fi, wifi, WiFi": "wˈIfˌI, wˈIfˌI, wˈIfˌI",
    "sci-fi x-ray X-ray T-shirt": "sˈIfˌI ˈɛksɹˌA ˈɛksɹˌA tˈiʃˌɜɹt",
    "re-elect co-op co-founder": "ɹˌiəlˈɛkt kˈOˌɑp kˌOfˈWndəɹ",
    "anti-war non-stop e-mail": "ˌæntiwˈɔɹ nˌɑnstˈɑp ˈimˌAl",
    "state-of-the-art": "stˈAt əv ðə ˈɑɹt",
    "well-known": "wˈɛl nˈOn",
    "A-level AI-powered": "ˈA lˈɛvᵊl ˌAˈI pˈWəɹd",
}
LETTERS = {
    "Vitamin A is good": "vˈITəmən ˈA ɪz ɡˈʊd",
    "DVDs and CEOs": "dˌivˌidˈiz ænd sˌiˌiˈOz",
    "A's and B's": "ˈAz ænd bˈiz",
    "OpenAI's": "ˈOpᵊn ˌAˈIz",
    "THE FBI AND CIA MET": "ði ˌɛfbˌiˈI ænd sˌiˌIˈA mˈɛt",
    "I AM happy": "ˌI ˈæm hˈæpi",
}
FOREIGN = {
    "résumé café naïve": "ɹˈɛzəmˌA kæfˈA nɑˈiv",
    "Bjørn Łódź": "bjˈɔɹn wˈuʤ",
    "Peña": "pˈAnjə",
    "crème brûlée": "kɹˈɛm bɹulˈA",
    "McFlurry": "məkflˈɜɹi",
    "O'Brien": "ObɹˈIən",
    "Kim, Ann, Matthew's": "kˈɪm, ˈæn, mˈæθjuz",
    "Hong Kong, et cetera, vis-à-vis": "hˈɔŋ kˈɔŋ, ɛt sˈɛTəɹə, vˌizəvˈi",
    "IKEA and Xbox": "Ikˈiə ænd ˈɛksbɑks",
    "sooooo goood nooo": "sˌO ɡˈʊd nˈO",
}


@pytest.mark.parametrize(("text", "phonemes"), [*CONTRACTED.items(), *HYPHENATED.items()])
def test_contractions_and_hyphens(american: English, text: str, phonemes: str) -> None:
    assert line(american, text) == phonemes


@pytest.mark.parametrize(("text", "phonemes"), [*LETTERS.items(), *FOREIGN.items()])
def test_letters_and_foreign_words(american: English, text: str, phonemes: str) -> None:
    assert line(american, text) == phonemes


def test_each_token_has_its_phonemes(american: English) -> None:
    tokens: list[Token] = [
        SpokenWord("the", 0, 3),
        SpokenWord("α", 4, 5, is_letter=True),
        Pause(",", 5, 6),
        SpokenWord("F", 7, 10, is_letter=True),
        SpokenWord("M", 7, 10, is_letter=True),
        Pause("", 10, 11, seconds=0.5),
        SpokenWord("tomato", 12, 18, phonemes="təˈmɑːtoʊ"),
        SpokenWord("to", 19, 21, emphasis=1),
    ]
    said = american.phonemes(tokens)
    assert [token for _, token in said] == tokens
    assert [p for p, _ in said] == ["ði", "ˈælfə", ",", "ˌɛf", "ˈɛm", "", "təˈmɑtO", "tˈu"]
    assert joined(said) == "ði ˈælfə, ˌɛfˈɛm təˈmɑtO tˈu"


def test_a_token_may_hold_several_words(american: English) -> None:
    assert american.phonemes([SpokenWord("bee enn pee", 0, 3)])[0][0] == "bˈi ˈɛn pˈi"
    assert american.phonemes([SpokenWord("", 0, 0)])[0][0] == ""


@pytest.mark.parametrize(
    ("phonemes", "said"),
    [("ˈnaɪs", "ˈnIs"), ("tʃiːz", "ʧiz"), ("d͡ʒɑb", "ʤɑb"), ("bɜːrd", "bɜɹd"), ("nˈIs", "nˈIs"), ("/kˈæt/", "kˈæt")],
)
def test_given_phonemes_may_be_ipa(phonemes: str, said: str) -> None:
    assert alphabet.given(phonemes) == said


def test_given_phonemes_that_no_voice_can_say_are_refused_by_letter(american: English) -> None:
    with pytest.raises(BadRequest, match=r"Ж \(U\+0416\)"):
        american.phonemes([SpokenWord("x", 0, 1, phonemes="kЖt")])
    with pytest.raises(BadRequest, match="401 letters"):
        alphabet.given("a" * 401)


WORDS = (
    st.text(max_size=15)
    | st.from_regex(r"[A-Za-zéøß'’-]{1,12}", fullmatch=True)
    | st.sampled_from(["read", "close", "a"])
)
TOKENS = st.builds(SpokenWord, WORDS, st.just(0), st.just(1), st.booleans(), st.none(), st.integers(-1, 1)) | st.builds(
    Pause, st.sampled_from([*',;:.!?…—()“”"', ""]), st.just(0), st.just(1)
)


@settings(deadline=None, max_examples=50)
@given(st.lists(TOKENS, max_size=8), st.booleans())
def test_any_tokens_become_phonemes_of_the_alphabet(tokens: list[Token], british: bool) -> None:
    said = reader("en-gb" if british else "en-us").phonemes(tokens)
    assert [token for _, token in said] == tokens
    assert set(joined(said)) <= alphabet.KOKORO


HOSTILE = ["a" * 2000, "a-" * 1000, "I" + "'ve" * 700, "xB" * 1000, "é" * 2000, "漢" * 2000]


@pytest.mark.parametrize("word", HOSTILE)
def test_a_long_word_is_read_in_time_that_grows_with_it(american: English, word: str) -> None:
    def spent(text: str) -> float:
        started = time.process_time()
        american.phonemes([SpokenWord(text, 0, len(text))])
        return time.process_time() - started

    spent(word[:20])
    assert spent(word * 4) < 12 * spent(word) + 0.5


def test_british(british: English) -> None:
    assert line(british, "The car won't go far", "en-gb") == "ðə kˈɑː wQnt ɡˌQ fˈɑː"


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
    assert sound in line(american, text).replace("T", "ɾ")


@settings(deadline=None)  # the first call reads the dictionaries
@given(st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_every_word_is_said(word: str) -> None:
    assert line(reader("en-us"), word).strip("ˈˌ "), word  # some, like "mm", have no vowel


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
        "import json, sys;"
        "from speechmlx.reading import SpokenWord; from speechmlx.reading.pronunciation import reader;"
        "reader('en-us').phonemes([SpokenWord('Kubernetes', 0, 10)]);"
        "print(json.dumps([m for m in ('spacy', 'torch', 'phonemizer', 'mlx.core') if m in sys.modules]))"
    )
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []


@pytest.mark.parametrize(
    ("name", "text"), [("fr", "Bonjour."), ("es", "Hola."), ("ja", "こんにちは。"), ("zh", "你好。")]
)
def test_other_languages_are_read_or_name_their_extra(name: str, text: str) -> None:
    extra = name if name in ("ja", "zh") else "espeak"
    try:
        assert VOWEL.search(line(reader(name), text, name))
    except Unsupported as error:
        assert f"audio-server extras install {extra}" in str(error)  # noqa: PT017 - it depends on what is installed
