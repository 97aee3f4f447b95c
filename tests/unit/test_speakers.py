"""Speakers of words, and segments that end where another speaker begins."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.speakers import SpeakerNames, split_at_speakers
from speechmlx.types import Audio, KnownSpeaker, Segment, SpeakerTurn, Usage, Word

SILENCE = Audio(np.zeros(0, np.float32), 16000)

TURNS = (SpeakerTurn(0.0, 2.0, "0"), SpeakerTurn(2.0, 4.0, "1"), SpeakerTurn(6.0, 7.0, "0"))


def segment(*words: tuple[str, float, float]) -> Segment:
    timed = tuple(Word(text, start, end, 0.9) for text, start, end in words)
    return Segment("".join(word.text for word in timed), timed[0].start, timed[-1].end, 0.9, timed, (1, 2))


def said(whole: Segment) -> list[tuple[str, str | None]]:
    return [(part.text, part.speaker) for part in split_at_speakers(whole, TURNS)]


def test_a_segment_ends_where_another_speaker_begins() -> None:
    whole = segment((" Yes.", 1.0, 1.8), (" And", 2.1, 2.4), (" you?", 2.4, 3.0), (" Fine.", 6.1, 6.5))
    assert said(whole) == [(" Yes.", "0"), (" And you?", "1"), (" Fine.", "0")]
    parts = list(split_at_speakers(whole, TURNS))
    assert [(part.start, part.end, part.tokens) for part in parts] == [(1.0, 1.8, ()), (2.1, 3.0, ()), (6.1, 6.5, ())]
    assert "".join(part.text for part in parts) == whole.text


def test_a_segment_of_one_speaker_is_kept_whole() -> None:
    whole = segment((" One", 0.1, 0.5), (" two.", 0.5, 1.0))
    (part,) = split_at_speakers(whole, TURNS)
    assert (part.text, part.tokens, part.speaker) == (whole.text, (1, 2), "0")
    assert [word.speaker for word in part.words] == ["0", "0"]


@pytest.mark.parametrize(
    ("start", "end", "speaker"), [(4.2, 4.6, "1"), (5.5, 5.9, "0"), (9.0, 9.5, None), (1.0, 2.5, "0"), (1.8, 3.5, "1")]
)
def test_a_word_has_the_speaker_of_most_of_it_else_who_is_next_to_it(
    start: float, end: float, speaker: str | None
) -> None:
    assert said(segment((" x", start, end))) == [(" x", speaker)]
    (part,) = split_at_speakers(Segment(" x", start, end, 0.9), TURNS)
    assert part.speaker == speaker


def test_a_change_next_to_the_end_of_a_sentence_is_moved_there() -> None:
    late = segment((" I", 1.0, 1.3), (" do.", 2.0, 2.4), (" Do", 2.5, 2.7), (" you?", 2.7, 3.0))
    assert said(late) == [(" I do.", "0"), (" Do you?", "1")]
    early = segment((" I", 0.6, 0.9), (" do.", 1.0, 1.3), (" Do", 1.5, 1.9), (" you?", 2.2, 3.0))
    assert said(early) == [(" I do.", "0"), (" Do you?", "1")]
    without = segment((" I", 1.0, 1.3), (" do", 2.0, 2.4), (" too", 2.5, 2.7))
    assert said(without) == [(" I", "0"), (" do too", "1")]


def test_the_log_probabilities_of_tokens_go_with_their_words() -> None:
    logprobs = ((b" I", -0.1), (b" d", -0.2), (b"o", -0.3), (b".", -0.4), (b" So", -0.5))
    words = (Word(" I", 1.0, 1.5, 0.9), Word(" do.", 1.5, 1.9, 0.9), Word(" So", 2.1, 2.5, 0.9))
    whole = Segment(" I do. So", 1.0, 2.5, 0.9, words, logprobs=logprobs)
    assert [part.logprobs for part in split_at_speakers(whole, TURNS)] == [logprobs[:4], logprobs[4:]]


def known(*names: str) -> tuple[KnownSpeaker, ...]:
    return tuple(KnownSpeaker(name, SILENCE) for name in names)


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
def test_names_of_speakers(names: SpeakerNames, said: dict[str, str]) -> None:
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
