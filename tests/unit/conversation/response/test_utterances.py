"""Where an utterance begins and ends: a row for each event."""

from __future__ import annotations

import pytest
from support.scripted_duplex import RATE, tone

from speechmlx.conversation.response.utterances import Utterances, is_quiet
from speechmlx.types import Chunk, TextDelta

TEXT = TextDelta("word")
VOICE, QUIET = Chunk(tone(1), RATE), Chunk(tone(1, 0), RATE)


@pytest.mark.parametrize(
    ("events", "places"),
    [
        ([QUIET, QUIET], ["quiet", "quiet"]),
        ([QUIET, TEXT, QUIET, VOICE], ["quiet", "begins", "inside", "inside"]),
        ([VOICE, TEXT, *[QUIET] * 16], ["begins", *["inside"] * 15, "ends", "quiet"]),
        ([VOICE, *[QUIET] * 14, VOICE, *[QUIET] * 15], ["begins", *["inside"] * 29, "ends"]),
        ([VOICE, *[QUIET] * 14, TEXT, *[QUIET] * 15, TEXT], ["begins", *["inside"] * 29, "ends", "begins"]),
    ],
)
def test_the_place_of_each_event(events: list[TextDelta | Chunk], places: list[str]) -> None:
    utterances = Utterances()
    assert [utterances.place(event) for event in events] == places


@pytest.mark.parametrize(("level", "quiet"), [(0.0, True), (0.004, True), (0.005, False), (0.5, False)])
def test_a_voice_below_50_db_is_none(level: float, quiet: bool) -> None:
    assert is_quiet(Chunk(tone(1, level), RATE)) is quiet


def test_a_chunk_without_samples_is_quiet() -> None:
    assert is_quiet(Chunk(b"", RATE))
