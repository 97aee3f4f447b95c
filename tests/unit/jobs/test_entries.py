"""Events of a recognition survive being written and read."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.jobs.entries import read_event, write_event
from speechmlx.types import Checkpoint, Event, LanguageDetected, Segment, SpeakerTurn, Usage, Word

WORDS = (Word(" é\ud7ff", 0.1, 1 / 3, 0.5), Word(" b", 1.0, 2.0, 0.25, "ann"))


@pytest.mark.parametrize(
    "event",
    [
        Checkpoint(1 / 3, '{"a": 1}'),
        LanguageDetected("de", 0.1 + 0.2),
        Segment(
            " é b", 0.1, 2.0, 0.5, WORDS, (1, 2), 0.2, -0.3, 1.5, 0.01, ((b"\xc3", -0.5), (b"\xa9", -1 / 3)), "ann"
        ),
        Segment("", 0.0, 0.0, 0.0),
        SpeakerTurn(0.0, 1.5, "0"),
        Usage(1.5, 0.0, 3, 4, True),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_read_is_what_was_written(event: Event) -> None:
    assert read_event(write_event(event)) == event


def test_numbers_of_numpy_are_numbers() -> None:
    event = Segment(" a", np.float64(0.1), np.float32(0.5), 0.5, tokens=(np.int64(7),))  # type: ignore[arg-type]
    assert read_event(write_event(event)) == Segment(" a", 0.1, 0.5, 0.5, tokens=(7,))


@pytest.mark.parametrize("text", ["{}", '{"kind": "Chunk"}', "no JSON"])
def test_other_lines_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no event of a recognition|Expecting value"):
        read_event(text)
