"""Names as people write them, and what is offered for one that is not there."""

from __future__ import annotations

import pytest

from speechmlx.names import listed, nearest, spelt


@pytest.mark.parametrize(
    ("written", "found"),
    [(" Alloy ", "alloy"), ("AF_Heart", "af_heart"), ("af heart", "af_heart"), ("AF -  Heart", "af_heart"), ("", "")],
)
def test_spelt(written: str, found: str) -> None:
    assert spelt(written) == found


def test_few_are_told_all_and_many_by_the_nearest() -> None:
    assert listed("x", [], "here") == "none"
    assert listed("b", ["a", "b", "a"], "here") == "a, b"
    many = [f"name-{number}" for number in range(30)]
    told = listed("Name-17", many, "GET /names lists all")
    assert told.startswith("name-17, name-1, ") and told.count("name-") == 6
    assert told.endswith(", … and 24 more (GET /names lists all)")
    assert listed("", many, "here").startswith("name-0, name-1, name-2, name-3, name-4, name-5, … and 24 more")


def test_the_nearest_comes_first_and_a_long_name_costs_little() -> None:
    assert nearest("/v1/audio/transcription", ["/", "/docs", "/v1/audio/speech", "/v1/audio/transcriptions"])[0] == (
        "/v1/audio/transcriptions"
    )
    assert len(nearest("x" * 1_000_000, [str(number) for number in range(100)])) == 6
