"""One Transcribe request: its clips, the prompt of each window, what becomes of attempts, its events in order of time.

Nothing here computes on the device but the spectrogram.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio import loudness_vad
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.whisper.decoding.beam import MOST_BEAMS
from speechmlx.engines.whisper.decoding.quality import COMPRESSION_LIMIT, compression_ratio, is_made_up, is_silent
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.offline.attempt import Attempt, choose_attempt, judge_attempt
from speechmlx.engines.whisper.offline.loudness import RecordingLoudness
from speechmlx.engines.whisper.offline.segments import build_segment, cut_window, split_words
from speechmlx.engines.whisper.offline.transcript_state import TranscriptState
from speechmlx.engines.whisper.offline.window import MOST_TOKENS, ClipQueue, Window
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import Checkpoint, Event, LanguageDetected, Transcribe, Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.engines.whisper.model.tokenizer import Vocabulary
    from speechmlx.engines.whisper.offline.word_timing import AlignedWord

MOST_PREFIX = MOST_TOKENS // 2
"""Tokens of a prefix, and of hotwords and names, at most."""
BELIEVED = -0.6
"""Mean log-probability below which the text of a doubted window is dropped: models turn breath into "Thank you"."""
FEW_TOKENS = 3.0
"""Tokens of text per second of possible speech under which something may have been left out."""
NEW_CONTEXT = 0.5
"""Temperature above which a window's text is no context for the next window."""


class TranscriptionState:
    """A `RequestState`. `prepare` is called until `prepared`; then `windows` are to be decoded and concluded."""

    def __init__(self, request: Transcribe, vocabulary: Vocabulary, n_mels: int) -> None:
        """Raises BadRequest, BadAudio and Unsupported for what the model cannot do."""
        check(request, vocabulary)
        self.request = request
        self.finished = False
        self.error: Exception | None = None
        """What ends the request, though the model goes on with others."""
        self.queues: list[ClipQueue] = []
        self.language: str | None = None
        self.candidates = vocabulary.candidates(request)
        self.loudness = RecordingLoudness()
        self._vocabulary = vocabulary
        self._names = vocabulary.listed(request.names, MOST_PREFIX - len(vocabulary.phrases(request.hotwords)))
        self._samples = np.ascontiguousarray(request.audio.samples, np.float32)
        self._slices = mel.log_mel_slices(self._samples, n_mels) if len(self._samples) >= mel.FFT else iter(())
        self._log_mel: list[NDArray[np.float32]] = []
        self._mel: NDArray[np.float32] | None = None
        self._left_out: list[tuple[int, int]] = []
        """Clips to decode whole, in frames, if the parts of them that may be speech give no text."""
        self._seed = int.from_bytes(os.urandom(4)) if request.temperatures[0] else 0
        """Random for a first temperature above 0; otherwise the same recording gives the same words."""
        self._released = 0
        """Queues whose segments are all released."""
        self._has_text = False
        self._sampled = 0
        """Tokens sampled in queues that were replaced, and before the checkpoint that the request resumes at."""
        self._saved = request.resume
        """The last checkpoint."""
        self._events: list[Event] = []
        if request.resume is None and len(self.candidates) == 1:
            self.set_language(self.candidates[0], 1.0)
        suppress = {token for token in request.suppress_tokens if token >= 0}
        if -1 in request.suppress_tokens:
            suppress |= set(vocabulary.non_speech)
        self._suppress = tuple(sorted(suppress | set(vocabulary.special)))

    def take_events(self) -> list[Event | Exception]:
        """The events since the last call, and the error that ends them."""
        events, self._events = self._events, []
        return [*events, *([self.error] if self.error else [])]

    @contextmanager
    def ended_by_error(self) -> Iterator[None]:
        """Inside, numbers that are not finite end this request alone."""
        try:
            yield
        except NotFinite as error:
            self.error = error

    def set_language(self, language: str, probability: float) -> None:
        self.language = language
        self._events.append(LanguageDetected(language, probability))

    # --- from samples to windows ---

    @property
    def prepared(self) -> bool:
        return self._mel is not None

    def prepare(self) -> None:
        """Compute one slice of the spectrogram; after the last one, lay out the clips."""
        log_mel = next(self._slices, None)
        if log_mel is not None:
            self._log_mel.append(log_mel)
            return
        self._mel = mel.normalize(np.concatenate(self._log_mel)) if self._log_mel else np.zeros((0, 1), np.float32)
        self._log_mel = []
        clips = self._clips(len(self._mel))
        if self.request.vad and not self.request.condition_on_previous_text:
            self.queues = [ClipQueue(self, [clip]) for clip in clips]
        else:
            self.queues = [ClipQueue(self, clips)]
        if self.request.resume is not None:
            self._resume(TranscriptState.read(self.request.resume))
        self._release()

    def _resume(self, point: TranscriptState) -> None:
        """Go on where an equal request was."""
        self.language, self._sampled, self._has_text = point.language, point.sampled, point.has_text
        if point.wary:
            self.queues = [ClipQueue(self, self._left_out, wary=True)]
            self._left_out = []
        self.queues[: point.queue] = [ClipQueue(self, []) for _ in range(point.queue)]
        point.place(self.queues[point.queue])

    def _clips(self, frames: int) -> list[tuple[int, int]]:
        """The clips to decode, in frames of the spectrogram, of which there are `frames`."""
        clips = loudness_vad.inside([(0.0, frames / mel.FRAMES_PER_SECOND)], self.request.clips)
        whole = _in_frames(clips, frames)
        if not self.request.vad or not len(self._samples):
            return whole
        level = loudness_vad.speech_levels(self._samples, mel.RATE)
        self.loudness = RecordingLoudness(level, loudness_vad.loud(level))
        speech = loudness_vad.speech_spans(level)
        parts = [loudness_vad.inside(speech, [clip]) for clip in clips]
        windows = [window for part in parts for window in loudness_vad.windows(part, level, mel.WINDOW_SECONDS)]
        chosen = _in_frames(windows, frames)
        if loudness_vad.is_sound(level) and _length(chosen) < _length(whole):
            self._left_out = whole
        return chosen

    @property
    def windows(self) -> Iterator[Window]:
        """The window of each queue that has one."""
        return (queue.window for queue in self.queues[self._released :] if queue.window is not None)

    def mel_of(self, window: Window) -> NDArray[np.float32]:
        """The window's spectrogram [window.encoded_frames, n_mels]."""
        assert self._mel is not None, "prepared before windows are encoded"
        return mel.window(self._mel, window.start, window.end, window.encoded_frames)

    # --- decoding of a window ---

    @property
    def beams(self) -> int:
        """Hypotheses of a window that is decoded for the first time: beams are for temperature 0."""
        return self.request.beam_size if self.request.temperatures[0] == 0 else 1

    def rules(self, attempt: int) -> SamplingRules:
        return SamplingRules(self._suppress, temperature=self.request.temperatures[attempt], seed=self._seed + attempt)

    def prompt(self, queue: ClipQueue) -> tuple[list[int], int]:
        """The tokens before the queue's window, and how many at their end are part of the window: those of a prefix."""
        assert self.language is not None, "the language is known before a prompt is made"
        vocabulary, request = self._vocabulary, self.request
        context = [*vocabulary.phrases(request.hotwords), *self._names]
        room = MOST_TOKENS - 1
        if request.prompt:
            context += vocabulary.encode(" " + request.prompt.strip())[-(room - len(context)) :]
        if request.condition_on_previous_text and len(context) < room:
            context += queue.previous[-(room - len(context)) :]
        before = [vocabulary.sot_prev, *context] if context else []
        prefix: list[int] = []
        if request.prefix and queue is self.queues[0] and not queue.begun:
            prefix = [vocabulary.timestamps, *vocabulary.phrases([request.prefix])]
        return before + vocabulary.start(self.language, request.task) + prefix, len(prefix)

    def doubts(self, window: Window) -> bool:
        """Whether `judge` needs the places of the decoded tokens: they repeat themselves, or are few for the speech."""
        tokens = window.tokens.tokens
        if window.tokens.looped or compression_ratio(self._vocabulary.decode(tokens)) > COMPRESSION_LIMIT:
            return True
        speech = self.loudness.speech_between(window.start, window.end)
        return 0 < len(self.text_tokens(tokens)) < FEW_TOKENS * speech

    def judge(self, window: Window, places: Sequence[int] = ()) -> int | None:
        """Record the decoded tokens as an attempt. Returns the next attempt to make, or None: the window is decided.

        `places` of 20 ms: what each text token attends to; needed if the window `doubts`.
        """
        attempt = judge_attempt(window.tokens, self._vocabulary, places)
        window.attempts.append(attempt)
        window.sampled += len(window.tokens.tokens)
        made = len(window.attempts)
        return made if attempt.unsure and made < len(self.request.temperatures) and not window.doubted else None

    def text_tokens(self, tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if token < self._vocabulary.eot]

    # --- from a decided window to events ---

    def conclude(self, window: Window, words: Sequence[AlignedWord] = ()) -> None:
        """Turn a decided window into segments and move its queue on. `words`: the words in it, if requested."""
        queue, attempt = window.queue, choose_attempt(window.attempts)
        advance, doubted = window.end - window.start, queue.wary
        if self._is_believed(window, attempt):
            timestamps = self._vocabulary.timestamps
            cut, advance = cut_window(attempt, window.start, window.end, self.loudness, timestamps)
            doubted |= advance < cut.advance
            split = split_words(attempt, cut.pieces, words, window.start, self._vocabulary.eot)
            for piece, spoken in zip(cut.pieces, split, strict=True):
                queue.last_end = spoken[-1].end if spoken else queue.last_end
                segment = build_segment(piece, spoken, attempt, window.start, self.request, self._vocabulary)
                if segment is not None:
                    queue.segments.append(segment)
                    tokens = attempt.tokens[piece.first : piece.last]
                    queue.previous = [] if attempt.temperature > NEW_CONTEXT else [*queue.previous, *tokens]
        queue.sampled += window.sampled
        queue.advance(advance, doubted)
        self._release()
        if self.request.checkpoints and not self.finished:
            self._save()

    def _save(self) -> None:
        """Add a checkpoint to the events, if what is before it is more than at the last one."""
        queue = self.queues[self._released]
        if self.language is None or (not self._released and not queue.begun):
            return
        sampled = self._sampled + sum(one.sampled for one in self.queues[: self._released + 1])
        point = TranscriptState.of(queue, self._released, self.language, sampled, self._has_text)
        point = point if self.request.condition_on_previous_text else replace(point, previous=())
        checkpoint = Checkpoint(point.start / mel.FRAMES_PER_SECOND, point.write())
        if checkpoint != self._saved:
            self._saved = checkpoint
            self._events.append(checkpoint)

    def _is_believed(self, window: Window, attempt: Attempt) -> bool:
        """Whether the text of a decided window counts."""
        if window.is_empty or is_silent(attempt.no_speech, attempt.logprob):
            return False
        if window.doubted and (attempt.unsure or attempt.logprob < BELIEVED):
            return False
        return not (self.request.vad and is_made_up(attempt.no_speech, attempt.logprob))

    def _release(self) -> None:
        """Move segments from the queues to the events, earlier queues first. Finish when all queues are done."""
        while self._released < len(self.queues):
            queue = self.queues[self._released]
            self._events += queue.segments
            self._has_text |= bool(queue.segments)
            queue.segments = []
            if not queue.done:
                return
            self._released += 1
        if self._left_out and not self._has_text:
            self._sampled += sum(queue.sampled for queue in self.queues)
            self.queues, self._released = [ClipQueue(self, self._left_out, wary=True)], 0
            self._left_out = []
            return
        sampled = self._sampled + sum(queue.sampled for queue in self.queues)
        self._events.append(Usage(audio_in=len(self._samples) / mel.RATE, tokens_out=sampled))
        self.finished = True


def _in_frames(clips: Sequence[loudness_vad.Span], frames: int) -> list[tuple[int, int]]:
    """Clips in seconds as frames of the spectrogram, of which there are `frames`; clips after the end are left out."""
    inside = [(round(s * mel.FRAMES_PER_SECOND), min(frames, round(e * mel.FRAMES_PER_SECOND))) for s, e in clips]
    return [(start, end) for start, end in inside if start < end]


def _length(clips: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in clips)


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
        if (count := len(vocabulary.phrases(phrases))) > MOST_PREFIX:
            raise BadRequest(f"{name} of {count} tokens; the model has room for {MOST_PREFIX}")
    if not 1 <= request.beam_size <= MOST_BEAMS:
        raise BadRequest(f"beam_size {request.beam_size}; allowed: 1 to {MOST_BEAMS}")
