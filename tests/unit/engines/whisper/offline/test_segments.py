"""From a decided window to segments."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.whisper.decoding.quality import Cut, Piece
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.attempt import Attempt
from speechmlx.engines.whisper.offline.loudness import RecordingLoudness
from speechmlx.engines.whisper.offline.segments import build_segment, cut_window, split_words, transcribed_frames
from speechmlx.engines.whisper.offline.word_timing import AlignedWord
from speechmlx.types import Audio, Transcribe

VOCABULARY = Vocabulary(51864)
TIME = VOCABULARY.timestamps
AUDIO = Audio(np.zeros(0, np.float32), 16_000)
REQUEST = Transcribe(audio=AUDIO)


def attempt(tokens: list[int], prefix_length: int = 0, last_place: int | None = None) -> Attempt:
    logprobs = (0.0,) * prefix_length + (-0.5,) * (len(tokens) - prefix_length)
    return Attempt(0.0, tuple(tokens), logprobs, prefix_length, -0.5, 1.0, 0.1, False, False, last_place)


def window(*pieces: tuple[str, float, float]) -> list[int]:
    """Tokens of text between timestamps in seconds."""
    return [
        token
        for text, start, end in pieces
        for token in (TIME + round(50 * start), *VOCABULARY.encode(text), TIME + round(50 * end))
    ]


def loudness(*spans: tuple[float, float]) -> RecordingLoudness:
    """Speech in these spans of seconds."""
    speech = np.zeros(3000, np.bool_)
    for start, end in spans:
        speech[round(50 * start) : round(50 * end)] = True
    return RecordingLoudness(np.where(speech, -20, -60).astype(np.float32), speech)


ONE, TWO = window((" One.", 0, 4)), window((" One.", 0, 4), (" Two.", 9, 12))


@pytest.mark.parametrize(
    ("tokens", "spans", "last_place", "ends", "advance"),
    [
        (ONE, [(0, 4)], None, [400], 1500),
        (ONE, [(0, 4), (10, 12)], None, [400], 400),  # speech goes on
        (ONE, [(0, 4), (10, 10.5)], None, [400], 1500),  # too little
        (TWO, [(0, 4), (9, 12)], None, [400, 1200], 1500),
        (TWO, [(0, 4), (5, 8), (9, 12)], None, [400], 400),  # leapt over
        (TWO, [(0, 12)], 100, [210], 210),  # the last word of the text is the one at 2 s
        (TWO, [(0, 12)], 590, [400], 400),
    ],
)
def test_cut_window(
    tokens: list[int], spans: list[tuple[float, float]], last_place: int | None, ends: list[int], advance: int
) -> None:
    cut, found = cut_window(attempt(tokens, last_place=last_place), 0, 1500, loudness(*spans), TIME)
    assert ([piece.end for piece in cut.pieces], found) == (ends, advance)


@pytest.mark.parametrize(("end", "advance", "frames"), [(350, 1500, 350), (1440, 1500, 1500), (50, 1500, 1500)])
def test_speech_after_an_early_stop_is_not_transcribed(end: int, advance: int, frames: int) -> None:
    cut = Cut((Piece(0, 3, 0, end),), advance)
    assert transcribed_frames(cut, 0, 1500, loudness((0, 15))) == frames


def test_words_go_to_the_piece_of_their_first_token() -> None:
    tokens = window((" One two.", 0, 4), (" Three.", 4, 6))
    spoken = attempt(tokens)
    text = [token for token in tokens if token < VOCABULARY.eot]
    assert len(text) == 5  # One, two, a mark, Three, a mark
    words = [
        AlignedWord(" One", 0, 1, 0.1, 0.5),
        AlignedWord(" two.", 1, 3, 0.5, 1),
        AlignedWord(" Three.", 3, 5, 4, 5),
    ]
    pieces = (Piece(0, 5, 0, 400), Piece(5, 9, 400, 600))
    first, second = split_words(spoken, pieces, words, 1000, VOCABULARY.eot)
    assert [(word.text, word.start, word.end) for word in first] == [(" One", 10.1, 10.5), (" two.", 10.5, 11.0)]
    assert [word.text for word in second] == [" Three."]
    assert second[0].confidence == pytest.approx(np.exp(-0.5))
    assert split_words(spoken, pieces[:1], words, 1000, VOCABULARY.eot) == [first]


def test_a_prefix_is_context_and_no_text() -> None:
    tokens = window((" One two.", 0, 4))
    spoken = attempt(tokens, prefix_length=2)  # the timestamp and " One"
    segment = build_segment(Piece(0, len(tokens), 0, 400), (), spoken, 0, REQUEST, VOCABULARY)
    assert segment is not None and segment.text == " two." and segment.tokens == tuple(tokens[2:])
    words = [AlignedWord(" One", 0, 1, 0, 1), AlignedWord(" two.", 1, 3, 1, 2)]
    (left,) = split_words(spoken, (Piece(0, len(tokens), 0, 400),), words, 0, VOCABULARY.eot)
    assert [word.text for word in left] == [" two."]


@pytest.mark.parametrize(
    ("text", "vad", "is_segment"), [("", False, False), (" ...", True, False), (" ...", False, True)]
)
def test_a_piece_without_words_is_no_segment(text: str, vad: bool, is_segment: bool) -> None:
    tokens = window((text, 0, 4))
    request = Transcribe(audio=AUDIO, vad=vad)
    segment = build_segment(Piece(0, len(tokens), 0, 400), (), attempt(tokens), 0, request, VOCABULARY)
    assert (segment is not None) is is_segment


def test_a_segment() -> None:
    tokens = window((" One.", 0, 4))
    request = Transcribe(audio=AUDIO, logprobs=True)
    segment = build_segment(Piece(0, 4, 0, 400), (), attempt(tokens), 1000, request, VOCABULARY)
    assert segment is not None
    assert (segment.text, segment.start, segment.end) == (" One.", 10.0, 14.0)
    assert segment.confidence == pytest.approx(np.exp(-0.5))
    assert segment.logprobs == ((b" One", -0.5), (b".", -0.5))
    assert (segment.avg_logprob, segment.temperature, segment.no_speech_prob) == (-0.5, 0.0, 0.1)
