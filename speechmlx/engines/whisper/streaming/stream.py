"""One live stream: audio fed in pieces becomes committed words, which never change, and a tail that may change.

The stream keeps a buffer of the last seconds and encodes it again every STEP. Words committed from the buffer are given
to the decoder as a prefix, so that they are not decoded twice. Silence is not decoded; it ends an utterance.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines import AIM
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.speech_buffer import PLACE, SpeechBuffer
from speechmlx.engines.whisper.decoding.language import detect_language
from speechmlx.engines.whisper.decoding.quality import is_silent, mean
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.offline.window import MOST_TOKENS
from speechmlx.engines.whisper.offline.word_timing import MARKS, SECONDS_PER_PLACE, spaced
from speechmlx.engines.whisper.streaming.alignatt import AttendedTokens, LiveSequence
from speechmlx.engines.whisper.streaming.commit_policy import POLICIES, AttendedWord, repeated, unheard
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import Command, End, Event, Feed, Hypothesis, LanguageDetected, Listen, Word

if TYPE_CHECKING:
    from speechmlx.engines import Steps
    from speechmlx.engines.step_size import StepSize
    from speechmlx.engines.whisper.model.network import Network, Pair
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary
    from speechmlx.types import Samples

STEP = mel.RATE // 2
"""Samples between two passes over the buffer."""
END_MARGIN = 4
"""Places. A pass stops at a token attended closer than this to the end of the audio; the last pass, this far after."""
LONGEST_END = 12
"""Places from the attention of a word's last token to the end of the word, at most."""
LONGEST = 12 * mel.RATE
"""Samples above which the buffer is cut."""
KEPT = 5 * mel.RATE
"""Samples that stay at least when the buffer is cut after a committed word."""
AFTERWARDS = 15
"""Places after the last speech up to which a word is believed. A mark is believed anywhere in the silence after it."""
ANYWHERE = 1 << 30
TAIL_ROOM = 4 * mel.FRAMES_PER_SECOND
"""Mel frames of silence encoded after the audio, at least. With less, short sentences come out wrong or twice."""
TOKENS_PER_SECOND = 20
"""Tokens decoded per second of buffer, at most."""
CONTEXT = 60
"""Tokens of the words cut from the buffer that the decoder gets as context."""
PROMPT = 100
"""Tokens of the client's prompt that the decoder gets, the last ones; and of its hotwords, the first ones."""
REMEMBERED = 48
"""Committed words that are searched for repetition."""
SURE_OF_LANGUAGE = 2 * mel.RATE
"""Samples from which on the language is detected, unless the utterance ends before."""


@dataclass(frozen=True)
class CommittedWord:
    """A committed word in the buffer; `end` in samples from the buffer's start. Ends never decrease."""

    tokens: tuple[int, ...]
    end: int


class LiveStream:
    """A `StreamState`: `feed` takes a command, `advance` works on it piece by piece.

    `sequence` is set while the batch decodes one for this stream; `advance` may be called again once it is finished.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, request: Listen, blocks: StepSize) -> None:
        """`blocks`: encoder blocks that a step evaluates.

        Raises BadRequest for an unknown policy, Unsupported for a language or a task that the model lacks.
        """
        self._network = network
        self._vocabulary = vocabulary
        self._request = request
        self._blocks = blocks
        if request.policy not in POLICIES:
            raise BadRequest(f"policy {request.policy!r}; allowed: {', '.join(POLICIES)}")
        self._commit_count = POLICIES[request.policy]
        if request.task == "translate" and not vocabulary.multilingual:
            raise Unsupported("this model knows English only and cannot translate; use a multilingual one")
        self._candidates = vocabulary.candidates(request)
        self._language = self._candidates[0] if len(self._candidates) == 1 else None
        self._announced = False
        self._suppress = tuple(sorted({*vocabulary.non_speech, *vocabulary.special}))
        self.finished = False
        self.sequence: LiveSequence | None = None
        self._cross: Sequence[Pair] = ()
        """Each decoder layer's keys and values [1, h, n, d] of the buffer, until a sequence has them."""
        self.buffer = SpeechBuffer()
        self.committed: list[CommittedWord] = []
        self._work: Steps | None = None
        self._fresh = 0
        """Samples since the last pass."""
        self._prompt = [
            *vocabulary.listed((*request.hotwords, *request.names), PROMPT),
            *(vocabulary.encode(" " + request.prompt.strip())[-PROMPT:] if request.prompt else ()),
        ]
        self._context: list[int] = []
        self._recent: list[str] = []
        self._previous: list[AttendedWord] = []
        """The tail of the pass before."""
        self._last_end = 0.0
        """Where the word committed last ends, in seconds of the stream."""
        self._tail: tuple[Word, ...] = ()

    # --- the contract ---

    @property
    def busy(self) -> bool:
        return self._work is not None

    def feed(self, command: Command) -> None:
        """Take the next command. Raises BadAudio for samples that are not one channel of finite numbers."""
        match command:
            case Feed(samples):
                if samples.ndim != 1 or not np.isfinite(samples).all():
                    raise BadAudio("audio must be one channel of finite samples")
                self._work = self._listen(samples.astype(np.float32, copy=False))
            case End():
                self._work = self._finish()

    def advance(self) -> list[Event]:
        """Do one bounded piece of the work at hand: encoder blocks, or what follows a finished sequence."""
        assert self._work is not None
        events: list[Event] = []
        for event in self._work:
            if event is None:
                return events
            events.append(event)
        self._work = None
        return events

    def close(self) -> None:
        """Free the audio and the words kept."""
        self.sequence, self._work, self._cross = None, None, ()
        self.buffer = SpeechBuffer()
        self.committed, self._previous = [], []

    # --- from samples to passes ---

    def _listen(self, samples: Samples) -> Steps:
        """Fill the buffer and look at it after every STEP, whatever the size of the pieces fed."""
        while len(samples):
            piece, samples = np.split(samples, [STEP - self._fresh])
            self.buffer.append(piece)
            self._fresh += len(piece)
            if self._fresh == STEP:
                self._fresh = 0
                yield from self._update()
                if len(samples):
                    yield None

    def _update(self) -> Steps:
        """Make a pass over the buffer if it holds speech; start over after an utterance or silence."""
        speaking, paused = self.buffer.speech()
        if not speaking and not self._tail:
            self._start_over(keep=STEP)
        elif paused or not speaking:
            yield from self._pass(last=True)
            self._start_over(keep=STEP)
        else:
            yield from self._pass(last=False)
            self._shorten()

    def _finish(self) -> Steps:
        """Commit what is left."""
        if len(self.buffer) >= mel.FFT and (self._tail or self.buffer.speech()[0]):
            yield from self._pass(last=True)
        self._start_over()
        self.finished = True

    def _start_over(self, keep: int = 0) -> None:
        """Begin a new utterance. The last `keep` samples stay: its first word may have begun in them."""
        self._drop(max(0, len(self.buffer) - keep))
        self.committed, self._tail = [], ()

    def _drop(self, count: int) -> None:
        """Remove the first `count` samples from the buffer; the words in them become context."""
        dropped = [word for word in self.committed if word.end <= count]
        self._context = (self._context + [token for word in dropped for token in word.tokens])[-CONTEXT:]
        self.committed = [replace(word, end=word.end - count) for word in self.committed[len(dropped) :]]
        self._previous = []
        self.buffer.drop(count)

    def _shorten(self) -> None:
        """Cut a long buffer after a committed word, or to LONGEST when there is none to cut after."""
        if len(self.buffer) <= LONGEST:
            return
        ends = [word.end for word in self.committed if word.end <= len(self.buffer) - KEPT]
        self._drop(ends[-1] if ends else len(self.buffer) - LONGEST)

    # --- one pass over the buffer ---

    def _pass(self, last: bool) -> Steps:
        """Transcribe the buffer; commit the words that the policy allows, or all words when this is the `last` pass."""
        yield from self._encode()
        if self._language is None:
            if len(self.buffer) < SURE_OF_LANGUAGE and not last:
                self._cross = ()
                return
            detected = detect_language(self._network, self._vocabulary, self._cross, self._candidates)
            self._language, probability = detected
            yield LanguageDetected(self._language, probability)
        elif not self._announced:
            yield LanguageDetected(self._language, 1.0)
        self._announced = True
        decoded = yield from self._decode(last)
        words = self._words(decoded)
        if is_silent(decoded.no_speech, mean(decoded.logprobs)):
            words = []
        texts = [*self._recent, *(word.text for word in words)]
        again = unheard(words, repeated(texts), self._end_of_committed // PLACE)
        words = words[: len(words) - again]
        count = len(words) if last else self._commit_count(words, self._previous, self.buffer.places)
        self._previous = words[count:]
        timed = self._timed(words, last)
        for word, in_time in zip(words[:count], timed[:count], strict=True):
            self._commit(word, in_time)
        if count or timed[count:] != self._tail:
            self._tail = timed[count:]
            yield Hypothesis(timed[:count], self._tail)
        if decoded.looped or again:
            self._context = []

    def _encode(self) -> Generator[None, None, None]:
        """Hear the buffer, followed by TAIL_ROOM or more of silence."""
        network = self._network
        log_mel = list(mel.log_mel_slices(self.buffer.audio, network.dims.n_mels))
        features = mel.normalize(np.concatenate(log_mel))
        window = mel.window(features, 0, len(features), mel.roomy(len(features) + TAIL_ROOM))
        x, done, last = (
            network.encoder.start(mx.array(window)[None].astype(network.dtype)),
            0,
            len(network.encoder.blocks),
        )
        while last - done > (count := self._blocks.units(AIM)):
            with self._blocks.timed(AIM, count):
                for index in range(done, done + count):
                    x = network.encoder.block(index, x)
                mx.eval(x)
            done += count
            yield
        with self._blocks.timed(AIM, last - done):
            for index in range(done, last):
                x = network.encoder.block(index, x)
            self._cross = network.cross(network.encoder.ln_post(x))
            mx.eval(self._cross)
        del x
        yield

    def _decode(self, last: bool) -> Generator[None, None, AttendedTokens]:
        """Hand a sequence to the batch and wait until it is decoded. Raises NotFinite."""
        assert self._language is not None
        vocabulary, buffer = self._vocabulary, self.buffer
        width = self._network.dims.n_text_ctx
        context = [*self._prompt, *self._context[-(MOST_TOKENS - 1 - len(self._prompt)) :]]
        before = [vocabulary.sot_prev, *context] if context else []
        start = vocabulary.start(self._language, self._request.task)
        committed = [token for word in self.committed for token in word.tokens][-width // 2 :]
        prompt = [*before, *start, vocabulary.no_timestamps, *committed]
        late = min(buffer.places + END_MARGIN, buffer.speech_end() + AFTERWARDS) if last else buffer.places - END_MARGIN
        limit = min(max(50, TOKENS_PER_SECOND * len(buffer) // mel.RATE), width - len(prompt))
        late_mark = ANYWHERE if last else late
        self.sequence = LiveSequence(vocabulary, prompt, self._cross, self._suppress, late, late_mark, limit)
        self._cross = ()  # the batch has it once, in the seat
        while not self.sequence.finished:
            yield
        if self.sequence.failed:
            raise NotFinite("the recognition of speech")
        decoded = self.sequence.result
        self.sequence = None
        return decoded

    def _words(self, decoded: AttendedTokens) -> list[AttendedWord]:
        """Words with the places of their attention; a mark belongs to the word beside it."""
        assert self._language is not None
        words = self._vocabulary.words(decoded.tokens, self._language)
        edges = np.cumsum([0, *(len(word.tokens) for word in words)]).tolist()
        spans = [decoded.places[first:last] for first, last in pairwise(edges)]
        attended: list[AttendedWord] = []
        for index, (word, places) in enumerate(zip(words, spans, strict=True)):
            following = min(spans[index + 1]) if index + 1 < len(spans) else math.inf
            end = max(max(places) + 1, min(following, max(places) + LONGEST_END))
            chances = [math.exp(value) for value in decoded.logprobs[edges[index] : edges[index + 1]]]
            one = AttendedWord(word.text, word.tokens, min(places), max(places), int(end), mean(chances))
            if attended and (one.text in MARKS or attended[-1].text in MARKS):
                one = _joined(attended.pop(), one)
            attended.append(one)
        return attended

    def _commit(self, word: AttendedWord, in_time: Word) -> None:
        self._last_end = in_time.end
        self._recent = [*self._recent, in_time.text][-REMEMBERED:]
        end = max(self._end_of_committed, min(word.end * PLACE, len(self.buffer)))
        self.committed.append(CommittedWord(word.tokens, end))

    @property
    def _end_of_committed(self) -> int:
        """Samples of the buffer up to the end of the word committed last."""
        return self.committed[-1].end if self.committed else 0

    def _timed(self, words: Sequence[AttendedWord], last: bool) -> tuple[Word, ...]:
        """`words` with times in seconds of the stream, after the word committed last and inside the audio fed.

        Unless this is the `last` pass, END_MARGIN at the end stays free for the next word.
        """
        origin, fed = self.buffer.origin / mel.RATE, (self.buffer.origin + len(self.buffer)) / mel.RATE
        timed = [
            Word(one.text, origin + one.first * SECONDS_PER_PLACE, origin + one.end * SECONDS_PER_PLACE, one.confidence)
            for one in words
        ]
        until = fed if last else fed - END_MARGIN * SECONDS_PER_PLACE
        placed = spaced(timed, self._last_end, until)
        return tuple(replace(word, start=round(word.start, 2), end=round(word.end, 2)) for word in placed)


def _joined(word: AttendedWord, other: AttendedWord) -> AttendedWord:
    """Join a mark to the word before it or, where that word is committed already, to the word after it."""
    base = other if word.text in MARKS else word
    return replace(base, text=word.text + other.text, tokens=word.tokens + other.tokens, last=other.last, end=other.end)
