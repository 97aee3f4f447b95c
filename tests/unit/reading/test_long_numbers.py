"""Numbers of thousands of digits, of a model or a person: read in some way, soon, in every language."""

from __future__ import annotations

import pytest

from speechmlx.reading import read, spoken

FORMS = "{}|${}|{}%|{} May|{}kg|1e{}|{}-{}".split("|")
LANGUAGES = ("en-US", "en-GB", "de", "es", "fr", "hi", "it", "ja", "pt-BR", "zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_without_end_are_read(language: str) -> None:
    for form in FORMS:
        assert spoken(read(form.replace("{}", "9" * 4400), language))


def test_letters_and_digits_without_end_are_read() -> None:
    assert spoken(read("a1" * 2000 + " 1e" + "9" * 3000 + " " + "1a2" * 2000))
