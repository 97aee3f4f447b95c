"""One request being transcribed: its windows in lanes that decode side by side, its events in order of time."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio import loudness_vad
from speechmlx.engines.whisper.decoding.beam import MOST_BEAMS
from speechmlx.engines.whisper.decoding.quality import (
    COMPRESSION_LIMIT,
    NO_SPEECH_LIMIT,
    Cut,
    Piece,
    compression_ratio,
    cut,
    is_made_up,
    is_silent,
    mean,
)
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.offline.attempt import Attempt, choose_attempt, judge_attempt
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import Event, LanguageDetected, Segment, Transcribe, Usage, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.engines.whisper.decoding.greedy import TokenSequence
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary
    from speechmlx.engines.whisper.offline.word_timing import AlignedWord

MOST_TOKENS = 224
"""Tokens sampled per window, half of the decoder's context."""
MOST_GIVEN = MOST_TOKENS // 2
"""Tokens of a prefix at most, and of hotwords."""
TOKENS, TOKENS_PER_SECOND = 40, 30
"""Of a window that is short, at most: nobody speaks so fast, what comes after them is made up."""
ROOM, LEAST = 4 * mel.FRAMES_PER_SECOND, 12 * mel.FRAMES_PER_SECOND
"""Frames of silence encoded after the audio, and frames in all, at least. The models were trained on windows of 30 s,
and repeat themselves or leave out the last words where little follows: tiny.en and base err as with 30 s from 4 s on in
50 clean and noisy recordings, and in 30 spoken commands of a second or two when there are 12 s in all."""
UNHEARD = 0.8
"""Seconds of speech after a window's last time that are worth decoding again."""
BELIEVED = -0.6
"""Mean log-probability from which on what such a rest gives is believed: of breath and noise models say "Thank you"."""
LEAP = 1.5
"""Seconds of speech between two segments that are, and the segments after it with them."""
LEAST_ADVANCE = mel.FRAMES_PER_SECOND
"""Frames a window must have given for its rest to be decoded again."""
FEW_TOKENS = 3.0
"""Tokens of text per second of what may be speech under which something may have been left out."""
LAST_WORD = (0.1, 0.6)
"""Seconds after the beginning of the last word heard between which it ends."""


@dataclass(eq=False)
class Lane:
    """Clips of a recording decoded one after the other, window by window; lanes of a request are independent."""

    owner: Transcription
    clips: deque[tuple[int, int]]
    """Frames [start, end) still to decode; the first one shrinks as its windows are done."""
    row: TokenSequence | None = None
    attempts: list[Attempt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    previous: list[int] = field(default_factory=list)
    """Tokens said so far, as context for the next window."""
    begun: bool = False
    """Whether a window was decided."""
    ended: float = 0.0
    """Seconds of the recording at which the last word ended."""
    doubted: bool = False
    """The model said that nothing is in this window, and is asked again because of its loudness."""
    wary: bool = False
    """Loudness says that nothing is in this lane, and the model is asked all the same: each window is doubted."""

    @property
    def done(self) -> bool:
        return not self.clips

    @property
    def window(self) -> tuple[int, int]:
        """Frames [start, end) of the window to decode now."""
        start, end = self.clips[0]
        return start, min(end, start + mel.WINDOW_FRAMES)

    @property
    def frames(self) -> int:
        """Frames to encode for the window: all of WINDOW_FRAMES where windows are to be the reference's."""
        start, end = self.window
        return mel.roomy(max(end - start + ROOM, LEAST)) if self.owner.request.vad else mel.WINDOW_FRAMES

    @property
    def most_tokens(self) -> int:
        """Tokens that may be sampled for the window."""
        start, end = self.window
        return min(MOST_TOKENS, TOKENS + TOKENS_PER_SECOND * (end - start) // mel.FRAMES_PER_SECOND)

    @property
    def vain(self) -> bool:
        """Loudness says that nobody speaks in the window, and so does the model."""
        return self.wary and self.row is not None and self.row.no_speech > NO_SPEECH_LIMIT

    def advance(self, frames: int) -> None:
        start, end = self.clips.popleft()
        if start + frames < end:
            self.clips.appendleft((start + frames, end))


class Transcription:
    """A `State` of the engine's batch. Nothing here computes on the device."""

    def __init__(self, request: Transcribe, vocabulary: Vocabulary, n_mels: int) -> None:
        check(request, vocabulary)
        self.request = request
        self.finished = False
        self.lanes: list[Lane] = []
        self.outbox: list[Event] = []
        self.language: str | None = None
        self.candidates = vocabulary.candidates(request)
        self._vocabulary = vocabulary
        self._samples = np.ascontiguousarray(request.audio.samples, np.float32)
        self._slices = mel.log_mel_slices(self._samples, n_mels) if len(self._samples) >= mel.FFT else iter(())
        self._log_mel: list[NDArray[np.float32]] = []
        self._mel: NDArray[np.float32] | None = None
        self._loud = np.zeros(0, np.bool_)
        """Frames that may be speech; empty when windows are not to depend on loudness."""
        self._level = np.zeros(0, np.float32)
        """Their loudness."""
        self._left_out: list[tuple[int, int]] = []
        """Clips to look at once more if nothing is heard in those of them that may be speech."""
        self._seed = int.from_bytes(os.urandom(4)) if request.temperatures[0] else 0
        """Chance is asked for by a temperature; where none is, the same recording gives the same words."""
        self._front = 0
        self._said = False
        self._tokens = 0
        if len(self.candidates) == 1:
            self.speaks(self.candidates[0], 1.0)
        suppress = {token for token in request.suppress_tokens if token >= 0}
        if -1 in request.suppress_tokens:
            suppress |= set(vocabulary.non_speech)
        self._suppress = tuple(sorted(suppress | set(vocabulary.special)))

    @property
    def prepared(self) -> bool:
        return self._mel is not None

    def prepare(self) -> None:
        """One slice of the spectrogram; the last one also lays out the lanes."""
        found = next(self._slices, None)
        if found is not None:
            self._log_mel.append(found)
            return
        self._mel = mel.normalize(np.concatenate(self._log_mel)) if self._log_mel else np.zeros((0, 1), np.float32)
        self._log_mel = []
        clips = self._clips(len(self._mel))
        if self.request.vad and not self.request.condition_on_previous_text:
            self.lanes = [Lane(self, deque([clip])) for clip in clips]
        else:
            self.lanes = [Lane(self, deque(clips))]
        self.release()

    def _clips(self, frames: int) -> list[tuple[int, int]]:
        clips = loudness_vad.inside([(0.0, frames / mel.FRAMES_PER_SECOND)], self.request.clips)
        found = whole = _in_frames(clips, frames)
        if self.request.vad and len(self._samples):
            level = loudness_vad.speech_levels(self._samples, mel.RATE)
            self._level, self._loud = level, loudness_vad.loud(level)
            speech = loudness_vad.speech_spans(level)
            parts = [loudness_vad.inside(speech, [clip]) for clip in clips]
            windows = [window for part in parts for window in loudness_vad.windows(part, level, mel.WINDOW_SECONDS)]
            found = _in_frames(windows, frames)
            if loudness_vad.is_sound(level) and sum(end - start for start, end in found) < sum(e - s for s, e in whole):
                self._left_out = whole
        return found

    def mel_of(self, lane: Lane) -> NDArray[np.float32]:
        """The lane's window [frames, n_mels], with `Lane.frames`."""
        assert self._mel is not None, "prepared before windows are asked for"
        return mel.window(self._mel, *lane.window, lane.frames)

    def speaks(self, language: str, probability: float) -> None:
        self.language = language
        self.outbox.append(LanguageDetected(language, probability))

    def rules(self, attempt: int) -> SamplingRules:
        return SamplingRules(self._suppress, temperature=self.request.temperatures[attempt], seed=self._seed + attempt)

    def prompt(self, lane: Lane) -> tuple[list[int], int]:
        """Tokens before the lane's window, and how many of the last ones are already part of it."""
        assert self.language is not None, "the language is known before a prompt is made"
        vocabulary, request = self._vocabulary, self.request
        context = vocabulary.phrases(request.hotwords)
        room = MOST_TOKENS - 1
        if request.prompt:
            context += vocabulary.encode(" " + request.prompt.strip())[-(room - len(context)) :]
        if request.condition_on_previous_text and len(context) < room:
            context += lane.previous[-(room - len(context)) :]
        before = [vocabulary.sot_prev, *context] if context else []
        given: list[int] = []
        if request.prefix and lane is self.lanes[0] and not lane.begun:
            given = [vocabulary.timestamps, *vocabulary.phrases([request.prefix])]
        return before + vocabulary.start(self.language, request.task) + given, len(given)

    def doubts(self, lane: Lane) -> bool:
        """Whether to look where the finished row's tokens were heard: they repeat themselves, or are few."""
        row, (start, end) = lane.row, lane.window
        assert row is not None
        text = self._vocabulary.decode(row.tokens)
        if row.looped or compression_ratio(text) > COMPRESSION_LIMIT:
            return True
        return 0 < len(self.text_tokens(row.tokens)) < FEW_TOKENS * self._loud_between(start, end)

    def judge(self, lane: Lane, places: Sequence[int] = ()) -> int | None:
        """Take in the finished row: the next attempt to make, or None when the window is decided.

        `places` of 20 ms are where its text's tokens were heard, if it was doubted.
        """
        row = lane.row
        assert row is not None
        attempt = judge_attempt(row, self._vocabulary, places)
        lane.attempts.append(attempt)
        self._tokens += len(row.tokens)
        made = len(lane.attempts)
        return made if attempt.unsure and made < len(self.request.temperatures) and not lane.doubted else None

    def _end_of_word(self, start: int, place: int) -> int:
        """Frames from `start` to where the word heard `place` places from there ends: the quietest moment after it."""
        first = start / mel.FRAMES_PER_SECOND + place * loudness_vad.FRAME
        low, high = (round((first + after) / loudness_vad.FRAME) for after in LAST_WORD)
        level = self._level[low:high]
        end = (low + int(np.argmin(level)) if len(level) else high) * loudness_vad.FRAME
        return round(end * mel.FRAMES_PER_SECOND) - start

    def _heard(self, window: Cut, start: int, end: int) -> int:
        """How far the window [start, end) was heard. A model that stops early though speech goes on is asked again."""
        last = window.pieces[-1].end if window.pieces else 0
        if window.advance < end - start or last < LEAST_ADVANCE:
            return window.advance
        return last if self._loud_between(start + last, end) >= UNHEARD else window.advance

    def _without_leap(self, window: Cut, start: int) -> Cut:
        """The window up to where the model leapt over speech, if it did: what follows is decoded from there."""
        for index, (piece, following) in enumerate(pairwise(window.pieces)):
            gap = start + piece.end, start + following.start
            if piece.end >= LEAST_ADVANCE and self._loud_between(*gap) >= LEAP:
                return Cut(window.pieces[: index + 1], piece.end)
        return window

    def _without_rest(self, window: Cut, attempt: Attempt, start: int) -> Cut:
        """The window up to where its last word was heard, if speech follows: some say once what is repeated."""
        pieces = window.pieces
        if attempt.heard is None or attempt.unsure or not pieces:
            return window
        heard = self._end_of_word(start, attempt.heard)
        if not LEAST_ADVANCE <= heard < min(window.advance, pieces[-1].end):
            return window
        if self._loud_between(start + heard, start + window.advance) < UNHEARD:
            return window
        return Cut(tuple(replace(one, end=min(one.end, heard)) for one in pieces if one.start < heard), heard)

    def _loud_between(self, first: int, end: int) -> float:
        """Seconds of what may be speech, between two frames."""
        low, high = (round(frame / mel.FRAMES_PER_SECOND / loudness_vad.FRAME) for frame in (first, end))
        return float(np.count_nonzero(self._loud[low:high]) * loudness_vad.FRAME)

    def text_tokens(self, tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if token < self._vocabulary.eot]

    def conclude(self, lane: Lane, words: Sequence[AlignedWord] = ()) -> None:
        """Turn the decided window into segments and move the lane on; `words` are the window's, where asked for."""
        attempt = choose_attempt(lane.attempts)
        start, end = lane.window
        advance = end - start
        guessed = lane.vain or (lane.doubted and (attempt.unsure or attempt.logprob < BELIEVED))
        if self.request.vad:
            guessed |= is_made_up(attempt.no_speech, attempt.logprob)
        lane.begun, lane.doubted = True, lane.wary
        if not guessed and not is_silent(attempt.no_speech, attempt.logprob):
            window = self._without_leap(cut(attempt.tokens, self._vocabulary.timestamps, end - start), start)
            window = self._without_rest(window, attempt, start)
            advance = self._heard(window, start, end)
            lane.doubted |= advance < window.advance
            waiting = deque(self._words(attempt, words, start))
            for piece in window.pieces:
                self._say(lane, attempt, piece, waiting)
        lane.attempts, lane.row = [], None
        lane.advance(advance)
        self.release()

    def _words(self, attempt: Attempt, words: Sequence[AlignedWord], frame: int) -> list[tuple[int, Word]]:
        """Each word in the recording's time, with the index of its first token among the text."""
        offset = frame / mel.FRAMES_PER_SECOND
        chances = [
            math.exp(logprob)
            for token, logprob in zip(attempt.tokens, attempt.logprobs, strict=False)
            if token < self._vocabulary.eot
        ]
        return [
            (
                word.first,
                Word(
                    word.text,
                    round(offset + word.start, 2),
                    round(offset + word.end, 2),
                    mean(chances[word.first : word.last]),
                ),
            )
            for word in words
        ]

    def _say(self, lane: Lane, attempt: Attempt, piece: Piece, waiting: deque[tuple[int, Word]]) -> None:
        eot = self._vocabulary.eot
        spoken = [i for i in range(piece.first, piece.last) if attempt.tokens[i] < eot and i >= attempt.given]
        text = self._vocabulary.decode([attempt.tokens[index] for index in spoken])
        before = sum(token < eot for token in attempt.tokens[: piece.last])
        hidden = max(0, attempt.given - 1)
        words = []
        while waiting and waiting[0][0] < before:
            first, word = waiting.popleft()
            if first >= hidden:
                words.append(word)
        lane.ended = words[-1].end if words else lane.ended
        if not text.strip() or (self.request.vad and not any(letter.isalnum() for letter in text)):
            return
        lane.previous = [] if attempt.temperature > 0.5 else [*lane.previous, *attempt.tokens[piece.first : piece.last]]
        offset = lane.window[0] / mel.FRAMES_PER_SECOND
        lane.events.append(
            Segment(
                text=text,
                start=words[0].start if words else round(offset + piece.start / mel.FRAMES_PER_SECOND, 2),
                end=words[-1].end if words else round(offset + piece.end / mel.FRAMES_PER_SECOND, 2),
                confidence=math.exp(mean([attempt.logprobs[index] for index in spoken])),
                words=tuple(words),
                tokens=attempt.tokens[max(piece.first, attempt.given) : piece.last],
                temperature=attempt.temperature,
                avg_logprob=attempt.logprob,
                compression_ratio=attempt.compression,
                no_speech_prob=attempt.no_speech,
                logprobs=self._logprobs(attempt, spoken) if self.request.logprobs else (),
            )
        )

    def _logprobs(self, attempt: Attempt, indices: Sequence[int]) -> tuple[tuple[bytes, float], ...]:
        return tuple((self._vocabulary.utf8(attempt.tokens[i]), attempt.logprobs[i]) for i in indices)

    def release(self) -> None:
        """Move what lanes have said to the outbox, earlier lanes first; finish when all are done."""
        while self._front < len(self.lanes):
            lane = self.lanes[self._front]
            self.outbox += lane.events
            self._said |= bool(lane.events)
            lane.events = []
            if not lane.done:
                return
            self._front += 1
        if self._left_out and not self._said:
            self.lanes, self._front = [Lane(self, deque(self._left_out), doubted=True, wary=True)], 0
            self._left_out = []
            return
        self.outbox.append(Usage(audio_in=len(self._samples) / mel.RATE, tokens_out=self._tokens))
        self.finished = True


def _in_frames(clips: Sequence[loudness_vad.Span], frames: int) -> list[tuple[int, int]]:
    """Seconds as frames of the spectrogram, of which there are `frames`; clips beyond them are left out."""
    inside = [(round(s * mel.FRAMES_PER_SECOND), min(frames, round(e * mel.FRAMES_PER_SECOND))) for s, e in clips]
    return [(start, end) for start, end in inside if start < end]


def check(request: Transcribe, vocabulary: Vocabulary) -> None:
    """Raise a BadRequest naming what the model cannot do with `request`."""
    if request.audio.rate != mel.RATE:
        raise BadAudio(f"audio at {request.audio.rate} Hz; Whisper takes {mel.RATE} Hz")
    if request.audio.samples.ndim != 1 or not np.isfinite(request.audio.samples).all():
        raise BadAudio("audio must be one channel of finite samples")
    if request.task == "translate" and not vocabulary.multilingual:
        raise Unsupported("this model knows English only and cannot translate; use a multilingual one")
    if not request.temperatures or any(not 0 <= value <= 2 for value in request.temperatures):
        raise BadRequest(f"temperatures {request.temperatures}; allowed: one or more between 0 and 2")
    if any(not -1 <= token < vocabulary.size for token in request.suppress_tokens):
        raise BadRequest(f"suppress_tokens {request.suppress_tokens}; allowed: -1 to {vocabulary.size - 1}")
    if any(not 0 <= start < end for start, end in request.clips):
        raise BadRequest(f"clips {request.clips}; allowed: (start, end) in seconds with 0 <= start < end")
    for name, phrases in (("prefix", [request.prefix or ""]), ("hotwords", request.hotwords)):
        if (count := len(vocabulary.phrases(phrases))) > MOST_GIVEN:
            raise BadRequest(f"{name} of {count} tokens; the model has room for {MOST_GIVEN}")
    if not 1 <= request.beam_size <= MOST_BEAMS:
        raise BadRequest(f"beam_size {request.beam_size}; allowed: 1 to {MOST_BEAMS}")
