"""Online assignment: labels come in order, stay for ever, and are not lavished."""

from __future__ import annotations

import numpy as np
import pytest
from unit.engines.ecapa.test_clustering import heard, voices

from speechmlx.engines.ecapa.clustering import single
from speechmlx.engines.ecapa.online import HEAVY, OnlineSpeakers, Step


def steps(voice: np.ndarray, first: int, count: int, seconds: float = 1.5) -> list[Step]:
    found = heard(voice, count, seconds, seed=first + 7)
    return [Step((first + i) / 2, (first + i + 1) / 2, found[i], seconds) for i in range(count)]


def labels(speakers: OnlineSpeakers, *stretches: list[Step]) -> list[str]:
    """The labels of all steps, which must be decided in order, none twice, by the end of their stretch."""
    given = []
    for stretch in stretches:
        decided = [*(pair for step in stretch for pair in speakers.add(step)), *speakers.end_stretch()]
        assert [step for step, _ in decided] == stretch
        given += [label for _, label in decided]
    return given


def test_labels_come_in_the_order_of_voices_and_stay() -> None:
    one, other = voices(2)
    said = [steps(one, 0, 4), steps(other, 4, 4), steps(one, 8, 3), steps(other, 11, 1, 0.8)]
    assert labels(OnlineSpeakers(), *said) == [*"0000", *"1111", *"000", "1"]


def test_a_change_in_the_midst_of_speech_is_heard() -> None:
    one, other = voices(2)
    assert labels(OnlineSpeakers(), [*steps(one, 0, 4), *steps(other, 4, 4), *steps(one, 8, 4)]) == [*"000011110000"]


def test_a_strange_window_between_others_founds_no_voice() -> None:
    one, other = voices(2)
    assert labels(OnlineSpeakers(), [*steps(one, 0, 4), *steps(other, 4, 1), *steps(one, 5, 4)]) == ["0"] * 9


@pytest.mark.parametrize(("seconds", "label"), [(0.3, "0"), (1.5, "1")])
def test_a_word_alone_is_a_new_voice_only_if_it_is_long(seconds: float, label: str) -> None:
    one, other = voices(2)
    assert labels(OnlineSpeakers(), steps(one, 0, 4), steps(other, 4, 1, seconds))[-1] == label


def test_the_first_word_has_a_speaker_however_short() -> None:
    assert labels(OnlineSpeakers(), steps(voices(1)[0], 0, 1, 0.2)) == ["0"]


def test_a_label_is_not_spent_on_a_sound() -> None:
    one, other, third = voices(3)
    said = [steps(one, 0, 1, 0.2), steps(other, 1, 4), steps(third, 5, 4)]
    assert labels(OnlineSpeakers(), *said) == [*"0", *"0000", *"1111"]


def test_no_more_voices_than_asked_for() -> None:
    said = [steps(voice, 4 * i, 4) for i, voice in enumerate(voices(4))]
    assert set(labels(OnlineSpeakers(most=2), *said)) == {"0", "1"}
    assert set(labels(OnlineSpeakers(), *said)) == {"0", "1", "2", "3"}


def test_known_voices_have_their_names_and_numbers_skip_those() -> None:
    one, other, third = voices(3)
    known = [("Ann", single(heard(other, 1, 4.0, seed=2), np.array([4.0]))[0])]
    assert labels(OnlineSpeakers(known), steps(one, 0, 3), steps(other, 3, 3)) == ["0"] * 3 + ["Ann"] * 3
    known = [("0", single(heard(other, 1, 4.0, seed=2), np.array([4.0]))[0])]
    assert labels(OnlineSpeakers(known), steps(one, 0, 3), steps(other, 3, 3)) == ["1"] * 3 + ["0"] * 3
    assert labels(OnlineSpeakers(known, most=1), steps(third, 0, 3), steps(other, 3, 3)) == ["1"] * 6


def test_memory_does_not_grow_with_the_stream() -> None:
    speakers = OnlineSpeakers()
    labels(speakers, *(steps(voices(2)[i % 2], 4 * i, 4) for i in range(100)))
    assert len(speakers.voices) == 2 and not speakers._waiting
    assert all(voice.cluster.weight <= HEAVY for voice in speakers.voices)


def test_later_voices_that_prove_to_be_one_become_one() -> None:
    """Whatever voices came before them."""
    one, other, third = voices(3)
    between = (other + third) / np.linalg.norm(other + third)
    speakers = OnlineSpeakers()
    said = labels(speakers, steps(one, 0, 4), steps(other, 4, 4), steps(third, 8, 4), steps(between, 12, 60))
    assert set(said[-20:]) == {"1"}
    assert [voice.label for voice in speakers.voices] == ["0", "1"]
