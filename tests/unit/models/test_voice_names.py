"""Names that a stored voice cannot have, because they mean something else already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speechmlx.errors import BadRequest
from speechmlx.models.catalog import CATALOG
from speechmlx.models.voice_store import check_free

KOKORO = CATALOG.resolve("kokoro")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("af_heart", "^'af_heart' is a voice of kokoro-82m already: take another name$"),
        ("AF Heart", "is a voice of kokoro-82m already"),
        ("alloy", "is a voice of kokoro-82m already"),
        ("natf0", "is a voice of kokoro-82m already"),
        ("en_female_calm", "is a voice of kokoro-82m already"),
        ("Narrator", "is a voice of kokoro-82m already"),
        ("kokoro", "^'kokoro' is the model kokoro-82m: take another name$"),
        ("Whisper-Base", "is the model whisper-base: take another name"),
    ],
)
def test_names_that_mean_something(name: str, says: str) -> None:
    rows = [replace(row, voices=replace(row.voices, meant={"narrator": "af_sky"})) for row in (KOKORO,)]
    rows += [row for row in CATALOG.rows if row.name != KOKORO.name]
    with pytest.raises(BadRequest, match=says):
        check_free(name, replace(CATALOG, rows=tuple(rows)))


def test_presets_of_other_services_are_taken_where_no_model_has_them() -> None:
    with pytest.raises(BadRequest, match=r"^'aura-2-thalia-en' is a voice of other services already"):
        check_free("aura-2-thalia-en", replace(CATALOG, rows=()))


def test_a_free_name() -> None:
    check_free("Ann Lee", CATALOG)
