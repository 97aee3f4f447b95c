"""Settings of speakers as clients send them, and the names of speakers in answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.speaker_form import SpeakerNames, read_most_speakers, separate
from speechmlx.types import Audio, KnownSpeaker, Segment, SpeakerTurn, Usage, Word

SILENCE = Audio(np.zeros(0, np.float32), 16000)


def known(*names: str) -> tuple[KnownSpeaker, ...]:
    return tuple(KnownSpeaker(name, SILENCE) for name in names)


@pytest.mark.parametrize(("value", "most"), [(None, None), ("", None), ("0", None), (2, 2), ("3", 3)])
def test_the_most_speakers(value: Any, most: int | None) -> None:
    assert read_most_speakers({"max_speakers": value}) == most


@pytest.mark.parametrize("value", ["many", -1, 51, 1.5])
def test_bad_numbers_of_speakers_are_named(value: Any) -> None:
    with pytest.raises(BadRequest, match="'max_speakers' must be"):
        read_most_speakers({"max_speakers": value})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []),
        (" ", []),
        ("data:audio/wav;base64,AAAA", ["data:audio/wav;base64,AAAA"]),
        (["data:a,b", "data:c,d"], ["data:a,b", "data:c,d"]),
        ('["data:a,b", "c"]', ["data:a,b", "c"]),
        ([1], [1]),
    ],
    ids=str,
)
def test_lists_of_texts_with_commas(value: Any, found: list[Any]) -> None:
    assert separate({"r": value}, "r") == found


def test_a_list_that_is_no_json_is_named() -> None:
    with pytest.raises(BadRequest, match="'r' is not valid JSON"):
        separate({"r": "[data"}, "r")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (SpeakerNames(), {"0": "A", "1": "B", "25": "Z", "26": "AA", "27": "AB"}),
        (SpeakerNames(known("Ann", "A", "C")), {"Ann": "Ann", "A": "A", "0": "B", "1": "D"}),
        (SpeakerNames(known("7")), {"7": "7", "0": "A"}),
        (SpeakerNames(known("Ann"), numbered=True), {"0": "SPEAKER_00", "11": "SPEAKER_11", "Ann": "Ann"}),
    ],
    ids=["letters", "known letters", "known number", "numbers"],
)
def test_names(names: SpeakerNames, said: dict[str, str]) -> None:
    assert {speaker: names.name(speaker) for speaker in said} == said


def test_events_name_their_speakers() -> None:
    names = SpeakerNames()
    words = (Word(" x", 0.0, 1.0, 0.9, "1"), Word(" y", 1.0, 2.0, 0.9))
    segment = names.apply(Segment(" x y", 0.0, 2.0, 0.9, words, speaker="1"))
    assert isinstance(segment, Segment)
    assert (segment.speaker, [word.speaker for word in segment.words]) == ("B", ["B", None])
    assert names.apply(SpeakerTurn(0.0, 1.0, "0")) == SpeakerTurn(0.0, 1.0, "A")
    nobody = Segment(" x", 0.0, 1.0, 0.9)
    assert names.apply(nobody) == nobody and names.apply(Usage()) == Usage()
