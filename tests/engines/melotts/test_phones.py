"""Words to phones: English as the CMU dictionary has it, Chinese by syllables, other languages by espeak-ng's IPA."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
from support.engine_runs import result

from speechmlx.engines.melotts import kana, pinyin
from speechmlx.engines.melotts.arpabet import arpabet
from speechmlx.engines.melotts.front_ends import FrontEnd, front_end
from speechmlx.engines.melotts.phone_lines import PhoneLines
from speechmlx.engines.melotts.phone_words import PhoneWord, orderly, pieces
from speechmlx.errors import Unsupported
from speechmlx.reading import Pause, SpokenWord, pronunciation, read
from speechmlx.reading.pronunciation.runs import Runs

HAS_CHINESE = find_spec("jieba") is not None and find_spec("pypinyin") is not None
DIGITS = {1: "0", 2: "1", 3: "2", 0: ""}


def phones(text: str, language: str = "en", symbols: str = "") -> list[PhoneWord]:
    return list(result(front_end(language, dict.fromkeys(symbols, 0)).steps(read(text, language))))


def written(word: PhoneWord, start: int = 7) -> str:
    """Phones as the dictionary writes them, with the stress of vowels."""
    return " ".join(phone.upper() + DIGITS[tone - start] for phone, tone in zip(word.phones, word.tones, strict=True))


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("hello", "HH AH0 L OW1"),
        ("world", "W ER1 L D"),
        ("around", "AH0 R AW1 N D"),
        ("father", "F AA1 DH ER0"),
        ("memory", "M EH1 M ER0 IY0"),
        ("church", "CH ER1 CH"),
        ("judge", "JH AH1 JH"),
        ("boy", "B OY1"),
        ("little", "L IH1 T AH0 L"),
        ("water", "W AO1 T ER0"),
        ("thing", "TH IH1 NG"),
        ("measure", "M EH1 ZH ER0"),
        ("yes", "Y EH1 S"),
        ("is", "IH1 Z"),
        ("you", "Y UW1"),
        ("fire", "F AY1 ER0"),
    ],
)
def test_english_is_what_the_cmu_dictionary_says(word: str, says: str) -> None:
    (found,) = [one for one in phones(word) if not one.is_mark]
    assert (found.text, written(found)) == (word, says)


def test_a_word_has_one_primary_stress_where_it_has_a_full_vowel() -> None:
    assert arpabet("ðə") == (("dh", "ah"), (0, 1))
    assert arpabet("wɪð") == (("w", "ih", "dh"), (0, 2, 0))
    assert arpabet("ˌʌndəstˈænd")[1].count(2) == 1
    assert arpabet("") == ((), ())


def test_marks_numbers_and_letters() -> None:
    found = phones("Pay $5; the FBI (of 1999) won't…")
    assert [word.text for word in found if word.is_mark] == [",", ",", ",", "…"]
    assert [word.text.lower() for word in found if not word.is_mark] == [
        *"pay five dollars the f b i of nineteen ninety nine won't".split()
    ]
    assert all(len(word.phones) == len(word.tones) for word in found)


def test_marks_are_in_order() -> None:
    comma, stop, word = (PhoneWord(text, (text,), (7,), text in ",.") for text in ",.w")
    assert orderly([comma, word, comma, stop, comma, word, word], 7) == [word, stop, word, word, comma]
    assert orderly([comma, stop], 7) == []


def test_pieces_end_behind_marks_where_they_can() -> None:
    comma, word = PhoneWord(",", (",",), (7,), True), PhoneWord("word", ("w", "er", "d"), (7, 8, 7))
    line = [word, word, comma, word, word, word, comma]
    assert list(pieces(line, 100)) == [line]
    assert list(pieces(line, 14)) == [line[:3], line[3:]]
    assert [len(piece) for piece in pieces([word] * 5, 8)] == [2, 2, 1]
    long = PhoneWord("x" * 30, ("w",) * 70, (7,) * 70)
    cut = list(pieces([long], 20))
    assert [len(piece[0].phones) for piece in cut] == [20, 20, 20, 10]
    assert [piece[0].text for piece in cut] == ["x" * 20, "", "", ""]


def test_a_symbol_that_a_checkpoint_lacks_is_unknown() -> None:
    line = PhoneLines("en", {"_": 0, "ah": 1, "UNK": 2}, None).lay_out([PhoneWord("x", ("ah", "zh"), (8, 7))])
    assert line.phones == [0, 0, 0, 1, 0, 2, 0, 0, 0] and not line.tokens


# --- Other languages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("syllable", "says"),
    [
        ("zhong1", ("zh", "ong", 1)), ("guo2", ("g", "uo", 2)), ("shi4", ("sh", "ir", 4)), ("zi5", ("z", "i0", 5)),
        ("xue2", ("x", "ve", 2)), ("yuan2", ("y", "van", 2)), ("yan2", ("y", "En", 2)), ("ye3", ("y", "E", 3)),
        ("you3", ("y", "ou", 3)), ("wu3", ("w", "u", 3)), ("nü3", ("n", "v", 3)), ("lve4", ("l", "ve", 4)),
        ("lue4", ("l", "ve", 4)), ("ai4", ("AA", "ai", 4)), ("er2", ("EE", "er", 2)), ("ou3", ("OO", "ou", 3)),
        ("ri4", ("r", "ir", 4)), ("jiong3", ("j", "iong", 3)), ("qun2", ("q", "vn", 2)), ("x", None), ("m2", None),
    ],
)  # fmt: skip
def test_syllables_of_chinese(syllable: str, says: tuple[str, str, int] | None) -> None:
    assert pinyin.phones(syllable) == says


def test_chinese_and_the_english_among_it() -> None:
    front: FrontEnd = front_end("zh", dict.fromkeys(("i", "ao", "ong", "uo", "AA", "ai"), 0))
    if not HAS_CHINESE:
        with pytest.raises(Unsupported, match="extras install zh"):
            front.check()
        return
    front.check()
    found = result(front.steps(read("你好，AI world。", "zh")))
    assert [word.text for word in found] == ["你", "好", ",", "a", "i", "world", "."]
    assert (found[0].phones, found[0].tones) == (("n", "i"), (2, 2)), "two third tones"
    assert written(found[5]) == "W ER1 L D"


def test_a_language_of_espeak_in_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("espeakng_loader") is None:
        pronunciation.reader.cache_clear()
        monkeypatch.setattr(pronunciation.espeak, "available", lambda: False)
        with pytest.raises(Unsupported, match="Spanish needs espeak-ng"):
            front_end("es", {}).check()
        pronunciation.reader.cache_clear()
    spoken = {"Hola": "ˈola", "el muchacho": "el muʧˈaʧo", "de la": "delˌa"}
    monkeypatch.setattr(pronunciation, "reader", lambda name: Runs(spoken.__getitem__, blanks=True))
    symbols = "ˈˌoladetʃcmu"
    assert [word.phones for word in phones("Hola, el muchacho.", "es", symbols)] == [
        tuple("ˈola"), (",",), tuple("el"), tuple("mutʃˈatʃo"), (".",)
    ]  # fmt: skip
    (joined, _) = phones("de la", "es", symbols)
    assert (joined.text, joined.phones, set(joined.tones)) == ("de la", tuple("delˌa"), {12})


@pytest.mark.parametrize(
    ("katakana", "says"),
    [
        ("トウキョウ", "t o u ky o u"), ("ガッコー", "g a q k o"), ("チャン", "ch a N"), ("フィルム", "f i r u m u"),
        ("カァ", "k a:"), ("ジュース", "j u s u"), ("ニャ", "ny a"), ("ディナー", "d i n a"), ("アァ", "a a"), ("", ""),
    ],
)  # fmt: skip
def test_moras_of_japanese(katakana: str, says: str) -> None:
    assert kana.phones(katakana) == tuple(says.split())


def test_japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    front = front_end("ja", {})
    if find_spec("fugashi") is None or find_spec("unidic_lite") is None:
        with pytest.raises(Unsupported, match="extras install ja"):
            front.check()
        read_as = {"東京": "トウキョウ", "トウキョウ": "トウキョウ", "です": "デス", "デス": "デス"}
        monkeypatch.setattr(kana, "_tagger", lambda: partial(_tagged, read_as))
    found = result(front.steps([spoken("東京"), Pause(",", 2, 2), spoken("です"), Pause(".", 5, 5)]))
    assert [(word.text, " ".join(word.phones)) for word in found] == [
        ("トウキョウ", "t o u ky o u"), (",", ","), ("デス", "d e s u"), (".", ".")
    ]  # fmt: skip
    assert {tone for word in found for tone in word.tones} == {6}


def spoken(text: str) -> SpokenWord:
    return SpokenWord(text, 0, len(text))


def _tagged(read_as: dict[str, str], text: str) -> list[Any]:
    return [SimpleNamespace(surface=text, feature=SimpleNamespace(kana=read_as[text]))]
