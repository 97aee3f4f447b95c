"""From a decided window to segments: pure rules on how far the window was transcribed, and on what its pieces say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from speechmlx.engines.whisper.decoding.quality import Cut, Piece, cut, mean
from speechmlx.engines.whisper.model import mel
from speechmlx.types import Segment, Transcribe, Word

if TYPE_CHECKING:
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary
    from speechmlx.engines.whisper.offline.attempt import Attempt
    from speechmlx.engines.whisper.offline.loudness import RecordingLoudness
    from speechmlx.engines.whisper.offline.word_timing import AlignedWord

UNHEARD = 0.8
"""Seconds of untranscribed speech at the end of a window that are worth decoding again."""
LEAP = 1.5
"""Seconds of untranscribed speech between two segments above which everything from the gap on is decoded again."""
LEAST_ADVANCE = mel.FRAMES_PER_SECOND
"""Frames of a window that must be transcribed for its rest to be decoded again."""


def cut_window(attempt: Attempt, start: int, end: int, loudness: RecordingLoudness, timestamps: int) -> tuple[Cut, int]:
    """Cut the decided window [start, end), in frames, at its timestamps: its pieces, and the frames to advance by.

    The advance is less than the cut's own where speech at the end of the window was not transcribed.
    """
    window = _without_leap(cut(attempt.tokens, timestamps, end - start), start, loudness)
    window = _without_rest(window, attempt, start, loudness)
    return window, transcribed_frames(window, start, end, loudness)


def transcribed_frames(window: Cut, start: int, end: int, loudness: RecordingLoudness) -> int:
    """How many frames of the window [start, end) are transcribed.

    A model may stop early though speech goes on: then only the frames up to its last timestamp.
    """
    last = window.pieces[-1].end if window.pieces else 0
    if window.advance < end - start or last < LEAST_ADVANCE:
        return window.advance
    return last if loudness.speech_between(start + last, end) >= UNHEARD else window.advance


def _without_leap(window: Cut, start: int, loudness: RecordingLoudness) -> Cut:
    """The window up to the first gap between its pieces with LEAP of speech in it."""
    for index, (piece, following) in enumerate(pairwise(window.pieces)):
        gap = start + piece.end, start + following.start
        if piece.end >= LEAST_ADVANCE and loudness.speech_between(*gap) >= LEAP:
            return Cut(window.pieces[: index + 1], piece.end)
    return window


def _without_rest(window: Cut, attempt: Attempt, start: int, loudness: RecordingLoudness) -> Cut:
    """The window up to the end of its last word, if UNHEARD of speech follows: some models transcribe repeats once."""
    pieces = window.pieces
    if attempt.last_place is None or attempt.unsure or not pieces:
        return window
    last = loudness.word_end(start, attempt.last_place)
    if not LEAST_ADVANCE <= last < min(window.advance, pieces[-1].end):
        return window
    if loudness.speech_between(start + last, start + window.advance) < UNHEARD:
        return window
    return Cut(tuple(replace(one, end=min(one.end, last)) for one in pieces if one.start < last), last)


def split_words(
    attempt: Attempt, pieces: Sequence[Piece], words: Sequence[AlignedWord], start: int, eot: int
) -> list[tuple[Word, ...]]:
    """The words of each piece, in seconds of the recording. `start`: frame at which the window starts.

    A word belongs to the piece of its first token. Words of the prefix are left out.
    """
    offset = start / mel.FRAMES_PER_SECOND
    is_text = [token < eot for token in attempt.tokens]
    chances = [math.exp(value) for value, text in zip(attempt.logprobs, is_text, strict=False) if text]
    hidden = max(0, attempt.prefix_length - 1)
    split: list[tuple[Word, ...]] = []
    first = 0
    for piece in pieces:
        end = max(first, sum(is_text[: piece.last]))
        inside = [word for word in words if first <= word.first < end and word.first >= hidden]
        split.append(tuple(_in_recording(word, offset, mean(chances[word.first : word.last])) for word in inside))
        first = end
    return split


def _in_recording(word: AlignedWord, offset: float, confidence: float) -> Word:
    return Word(word.text, round(offset + word.start, 2), round(offset + word.end, 2), confidence)


def build_segment(
    piece: Piece, words: tuple[Word, ...], attempt: Attempt, start: int, request: Transcribe, vocabulary: Vocabulary
) -> Segment | None:
    """The segment of a piece, or None when it has no text; with VAD, also when the text has no letter or digit.

    `start`: frame at which the window starts. The prefix of the request is not part of the text.
    """
    offset = start / mel.FRAMES_PER_SECOND
    first, eot = max(piece.first, attempt.prefix_length), vocabulary.eot
    indices = [index for index in range(first, piece.last) if attempt.tokens[index] < eot]
    text = vocabulary.decode([attempt.tokens[index] for index in indices])
    if not text.strip() or (request.vad and not any(letter.isalnum() for letter in text)):
        return None
    logprobs = [attempt.logprobs[index] for index in indices]
    tokens = [vocabulary.utf8(attempt.tokens[index]) for index in indices] if request.logprobs else []
    return Segment(
        text=text,
        start=words[0].start if words else round(offset + piece.start / mel.FRAMES_PER_SECOND, 2),
        end=words[-1].end if words else round(offset + piece.end / mel.FRAMES_PER_SECOND, 2),
        confidence=math.exp(mean(logprobs)),
        words=words,
        tokens=attempt.tokens[first : piece.last],
        temperature=attempt.temperature,
        avg_logprob=attempt.logprob,
        compression_ratio=attempt.compression,
        no_speech_prob=attempt.no_speech,
        logprobs=tuple(zip(tokens, logprobs, strict=True)) if request.logprobs else (),
    )
