"""Languages as clients name them: one table for what is heard and for what is spoken."""

from __future__ import annotations

import time

import pytest

from speechmlx import languages
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.languages import NAMES, TAGS, asked, code, match, name, refusal, tag
from speechmlx.models.catalog import CATALOG
from speechmlx.reading.pronunciation import LANGUAGES as SPOKEN

HEARD = {
    "en": "en EN en-GB en_US EN_us eng English ENGLISH en_US.UTF-8 en-US-x-old British\u00a0English",
    "zh": "zh zh-Hant zh-TW zh_CN zh-HK zho chi cmn cmn-Hans-CN Chinese mandarin Traditional_Chinese",
    "yue": "yue zh-yue yue-HK Cantonese",
    "no": "no nb nb-NO nob nor no-NO Norwegian bokmål",
    "nn": "nn nn-NO nno Nynorsk",
    "he": "he iw he-IL heb Hebrew",
    "id": "id in ind id-ID",
    "tl": "tl fil fil-PH tgl Tagalog Filipino",
    "jw": "jw jv jav jv-ID Javanese",
    "yi": "yi ji yid",
    "de": "de de-AT ger deu German de_DE@euro",
    "fr": "fr fr-CA fre fra French",
    "pt": "pt pt-BR por Portuguese",
    "es": "es es-419 spa Castilian",
    "sr": "sr sr-Latn sr-Cyrl-RS srp sr@latin",
    "ja": "ja jpn ja-JP Japanese",
    "ro": "ro rum ron mo Moldovan",
    "el": "el gre ell Greek",
    "cs": "cs cze ces",
    "nl": "nl dut nld Flemish",
    "fa": "fa per fas prs Farsi",
    "ms": "ms may msa zsm",
    "sw": "sw swa swh",
    "et": "et est ekk",
    "sq": "sq alb sqi",
    "ht": "ht hat Haitian_Creole haitian\u00a0creole",
    "haw": "haw Hawaiian",
}


@pytest.mark.parametrize(("meant", "said"), [(meant, said) for meant, row in HEARD.items() for said in row.split(" ")])
def test_what_is_heard(meant: str, said: str) -> None:
    assert code(said) == match(f" {said} ", NAMES) == meant
    assert name(said) == NAMES[meant]


@pytest.mark.parametrize(
    ("said", "spoken"),
    [
        ("en", "en"),
        ("English", "en"),
        ("en-AU", "en"),
        ("en-GB", "en-gb"),
        ("en_UK", "en-gb"),
        ("British English", "en-gb"),
        ("EN_us", "en-us"),
        ("eng", "en"),
        ("fra", "fr"),
        ("cmn", "zh"),
        ("mandarin", "zh"),
        ("pt-PT", "pt"),
        ("jpn", "ja"),
        ("nb", None),
        ("yue", None),
        ("jp", None),
        ("x", None),
        ("", None),
        ("日本語", "ja"),
    ],
)
def test_what_is_spoken(said: str, spoken: str | None) -> None:
    assert match(said, SPOKEN) == spoken


def test_all_codes_and_names_mean_themselves() -> None:
    for row in CATALOG.rows:
        assert [match(one, row.languages) for one in row.languages] == list(row.languages)
    assert all(code(one) == one and code(NAMES[one]) == one and code(NAMES[one].title()) == one for one in NAMES)
    assert {match(one, NAMES) for one in TAGS.values()} == set(NAMES)
    assert all(match(one, SPOKEN) == one for one in SPOKEN)


@pytest.mark.parametrize(("said", "meant"), [("Deutsch", "de"), ("FRANÇAIS", "fr"), ("日本語", "ja"), ("中文", "zh")])
def test_own_names(said: str, meant: str) -> None:
    assert code(said) == meant


@pytest.mark.parametrize("text", [None, "", " ", "auto", "AUTO", " und "])
def test_no_language_is_asked_for(text: str | None) -> None:
    assert asked(text) is None and code(text) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("jp", "ja"), ("cn", "zh"), ("kr", "ko"), ("ua", "uk"), ("cz", "cs"), ("dk", "da"), ("gr", "el"), ("se", "sv"),
        ("vn", "vi"), ("us", "en"), ("gb", "en"), ("at", "de"), ("jp-JP", "ja"), ("germn", "de"), ("Englisch", "en"),
    ],
)  # fmt: skip
def test_a_country_or_a_slip_is_told_the_language(said: str, meant: str) -> None:
    assert match(said, NAMES) is None
    told = str(refusal(said, NAMES, "this model"))
    assert told.startswith(
        f"language {said!r} is not known to this model (did you mean {meant!r}, {NAMES[meant]}?); it "
    )


@pytest.mark.parametrize("said", ["tlh", "xx", "zz", "e n", "tl", "no", "ca", "-", "x" * 1000])
def test_what_is_not_there_is_told_what_is(said: str) -> None:
    error = refusal(said, ("en", "pt"), "this model")
    assert isinstance(error, Unsupported) and str(error).endswith("is not known to this model; it knows en, pt")
    assert len(str(error)) < 200


@pytest.mark.parametrize("part", ["(", "en-", "@", "_", "a(", "en-a-"])
def test_what_is_no_name_of_a_language_takes_no_time_and_is_not_kept(part: str) -> None:
    """A million characters, as a client may send them: a second look at each for each takes minutes."""
    text = part * (1_000_000 // len(part))
    kept = languages._tag.cache_info().currsize
    began = time.process_time()
    assert tag(text) == code(text) == text and match(text, NAMES) is None and name(text) == text
    with pytest.raises(Unsupported):
        raise refusal(text, ["en", "de"], "it")
    assert time.process_time() - began < 5.0
    assert languages._tag.cache_info().currsize <= kept + 10


def test_a_model_of_which_nothing_is_known_may_hear_any_language() -> None:
    assert languages.heard("German", ()) == "de" == languages.heard("de-AT", ())
    assert languages.heard("de-AT", ("de", "en")) == "de" and languages.heard("fr", ("de", "en")) is None


@pytest.mark.parametrize(("text", "found"), [("de", "de"), ("pt-BR", "pt"), ("Cantonese", "yue"), ("fil", "tl")])
def test_a_language_that_people_speak(text: str, found: str) -> None:
    assert languages.spoken(text) == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("germn", r"^'germn' is no language that is recognised \(did you mean 'de', german\?\); write one of af, am, "),
        ("xx", "^'xx' is no language that is recognised; write one of .*, yue, zh$"),
        ("", "^'' is no language"),
        ("x" * 200, "is no language"),
    ],
)
def test_what_is_no_language(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as refused:
        languages.spoken(text)
    assert all(code in str(refused.value) for code in NAMES) and len(str(refused.value)) < 700


def test_all_of_several_languages() -> None:
    assert languages.all_in(("de", "tl"), ("fil", "de"))
    assert not languages.all_in(("de", "fr"), ("de", "en"))
    assert not languages.all_in(("yue",), ("zh",))
