"""Live listening: audio fed in pieces becomes committed words, each once and for good, and an unsure tail.

A buffer of the last seconds is encoded anew as it grows; the words committed from it are forced on the decoder, so
nothing said is said again. Silence is not decoded, and ends what was being said. Times count samples.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.audio import loudness_vad
from speechmlx.engines.whisper.decoding.quality import is_silent, mean
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.offline.word_timing import MARKS, SECONDS_PER_PLACE, spaced
from speechmlx.engines.whisper.streaming.alignatt import Followed, Following
from speechmlx.engines.whisper.streaming.commit_policy import POLICIES, Heard, repeated, unheard
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import Hypothesis, LanguageDetected, Listen, Word

if TYPE_CHECKING:
    from speechmlx.engines import Steps
    from speechmlx.engines.whisper.engine import Whisper
    from speechmlx.engines.whisper.model.network import Pair
    from speechmlx.types import Samples

STEP = mel.RATE // 2
"""Samples between two passes."""
PLACE = 2 * mel.HOP
"""Samples per place of the encoder's output."""
END_MARGIN = 4
"""Places before the end of the audio, or after it when no more will come, where listening stops for certain."""
LONGEST_END = 12
"""Places a word goes on after its last token was heard, at most."""
LONGEST = 12 * mel.RATE
"""Samples after which the buffer loses what was committed long ago."""
KEPT = 5 * mel.RATE
"""Samples that stay when it does."""
PAUSE = round(0.8 / loudness_vad.FRAME)
"""Frames of silence that end what was being said."""
AFTERWARDS = 15
"""Places after the last sound where a word may still be heard; a mark is heard anywhere in the silence that follows."""
ANYWHERE = 1 << 30
LEVELS = round(30 / loudness_vad.FRAME)
"""Frames of loudness remembered."""
TAIL_ROOM = 4 * mel.FRAMES_PER_SECOND
"""Frames of silence encoded after the audio, at least: with less, short sentences are heard worse, and some twice."""
TOKENS_PER_SECOND = 20
CONTEXT = 60
"""Tokens of earlier text given to the decoder after the buffer was cut."""
PROMPT = 100
"""Tokens of the client's prompt given to it, the last ones."""
REMEMBERED = 48
"""Words looked back on for repetition."""
SURE_OF_LANGUAGE = 2 * mel.RATE


@dataclass(frozen=True)
class Said:
    """A committed word that is still in the buffer; its `end` in samples from the buffer's start, never going back."""

    tokens: tuple[int, ...]
    end: int


class LiveStream:
    """One live input of the engine (`Stream`)."""

    def __init__(self, engine: Whisper, request: Listen) -> None:
        self._engine = engine
        self._vocabulary = engine.vocabulary
        self._request = request
        self._commits = POLICIES.get(request.policy)
        if self._commits is None:
            raise BadRequest(f"policy {request.policy!r}; allowed: {', '.join(POLICIES)}")
        if request.task == "translate" and not self._vocabulary.multilingual:
            raise Unsupported("this model knows English only and cannot translate; use a multilingual one")
        self._candidates = self._vocabulary.candidates(request)
        self._language = self._candidates[0] if len(self._candidates) == 1 else None
        self._announced = False
        self._suppress = tuple(sorted({*self._vocabulary.non_speech, *self._vocabulary.special}))
        self._audio = np.zeros(0, np.float32)
        self._origin = 0
        """Samples of the stream before the buffer."""
        self._fresh = 0
        """Samples since the last pass."""
        self._levels = np.zeros(0, np.float32)
        self._level_rest = np.zeros(0, np.float32)
        self._speaking = False
        self._said: list[Said] = []
        self._prompt = self._vocabulary.encode(" " + request.prompt.strip())[-PROMPT:] if request.prompt else []
        self._context: list[int] = []
        self._recent: list[str] = []
        self._before: list[Heard] = []
        self._last_end = 0.0
        self._tail: tuple[Word, ...] = ()

    # --- the contract ---

    def feed(self, samples: Samples) -> Steps:
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise BadAudio("audio must be one channel of finite samples")
        rest = samples.astype(np.float32, copy=False)
        while len(rest):
            now, rest = np.split(rest, [STEP - self._fresh])
            self._audio = np.concatenate([self._audio, now])
            self._fresh += len(now)
            self._hear_levels(now)
            if self._fresh == STEP:
                self._fresh = 0
                yield from self._listen()

    def finish(self) -> Steps:
        if len(self._audio) >= mel.FFT and (self._tail or self._speech()[0]):
            yield from self._pass(last=True)
        self._start_over()

    def close(self) -> None:
        self._audio = np.zeros(0, np.float32)
        self._said, self._before = [], []

    # --- what is there to hear ---

    def _listen(self) -> Steps:
        """What there is to say STEP after STEP, however the samples came."""
        speaking, paused = self._speech()
        if not speaking and not self._tail:
            self._start_over(keep=STEP)
        elif paused or not speaking:
            yield from self._pass(last=True)
            self._start_over(keep=STEP)
        else:
            yield from self._pass(last=False)
            self._shorten()

    def _hear_levels(self, samples: Samples) -> None:
        rest = np.concatenate([self._level_rest, samples])
        whole = len(rest) - len(rest) % round(mel.RATE * loudness_vad.FRAME)
        self._levels = np.concatenate([self._levels, loudness_vad.levels(rest[:whole], mel.RATE)])[-LEVELS:]
        self._level_rest = rest[whole:]

    @property
    def _held(self) -> int:
        """Frames of loudness in the buffer."""
        return max(1, round(len(self._audio) / mel.RATE / loudness_vad.FRAME))

    def _speech(self) -> tuple[bool, bool]:
        """Whether the buffer holds speech, and whether the speaker has paused since."""
        loud = loudness_vad.loud(self._levels)[-self._held :]
        if not loud.any() or loudness_vad.is_steady(self._levels[-self._held :][loud]):
            return False, False
        return True, not loud[-PAUSE:].any()

    def _sound_end(self) -> int:
        """The place after the last sound in the buffer that may be speech."""
        loud = np.flatnonzero(loudness_vad.loud(self._levels)[-self._held :])
        return len(loud) and int(loud[-1]) + 1

    def _start_over(self, keep: int = 0) -> None:
        """Forget what was said; `keep` samples stay, in case what is said next has begun in them."""
        self._drop(max(0, len(self._audio) - keep))
        self._said, self._tail = [], ()

    def _drop(self, count: int) -> None:
        """Forget the first `count` samples; what was said in them is context from now on."""
        gone = [said for said in self._said if said.end <= count]
        self._context = (self._context + [token for said in gone for token in said.tokens])[-CONTEXT:]
        self._said = [Said(said.tokens, said.end - count) for said in self._said[len(gone) :]]
        self._before = []
        self._audio = self._audio[count:]
        self._origin += count

    def _shorten(self) -> None:
        """Cut a long buffer after a committed word, or anywhere when nothing in it was."""
        if len(self._audio) <= LONGEST:
            return
        ends = [said.end for said in self._said if said.end <= len(self._audio) - KEPT]
        self._drop(ends[-1] if ends else len(self._audio) - LONGEST)

    # --- one pass over the buffer ---

    def _pass(self, last: bool) -> Steps:
        cross = yield from self._encode()
        if self._language is None:
            if len(self._audio) < SURE_OF_LANGUAGE and not last:
                return
            self._language, probability = self._engine.detect_language(cross, self._candidates)
            yield LanguageDetected(self._language, probability)
        elif not self._announced:
            yield LanguageDetected(self._language, 1.0)
        self._announced = True
        followed = yield from self._follow(cross, last)
        heard = self._words(followed)
        if is_silent(followed.no_speech, mean(followed.logprobs)):
            heard = []
        again = unheard(heard, repeated([*self._recent, *(word.text for word in heard)]), self._end_of_said // PLACE)
        heard = heard[: len(heard) - again]
        assert self._commits is not None
        places = len(self._audio) // PLACE
        count = len(heard) if last else self._commits(heard, self._before, places)
        committed, tail = heard[:count], heard[count:]
        self._before = tail
        timed = self._timed(heard, last)
        words, unsure = timed[:count], timed[count:]
        for one, word in zip(committed, words, strict=True):
            self._commit(one, word)
        if words or unsure != self._tail:
            self._tail = unsure
            yield Hypothesis(words, unsure)
        if followed.looped or again:
            self._context = []

    def _encode(self) -> Generator[None, None, list[Pair]]:
        """Keys and values of the buffer, encoded with as much room as it needs."""
        network = self._engine.network
        log_mel = list(mel.log_mel_slices(self._audio, network.dims.n_mels))
        features = mel.normalize(np.concatenate(log_mel))
        window = mel.window(features, 0, len(features), mel.roomy(len(features) + TAIL_ROOM))
        x = network.encoder.start(mx.array(window)[None].astype(network.dtype))
        mx.eval(x)
        for index in range(len(network.encoder.blocks)):
            x = network.encoder.block(index, x)
            mx.eval(x)
            yield
        cross = network.cross(network.encoder.ln_post(x))
        mx.eval(cross)
        yield
        return cross

    def _follow(self, cross: list[Pair], last: bool) -> Generator[None, None, Followed]:
        assert self._language is not None
        vocabulary = self._vocabulary
        width = self._engine.network.dims.n_text_ctx
        context = [*self._prompt, *self._context]
        before = [vocabulary.sot_prev, *context] if context else []
        start = vocabulary.start(self._language, self._request.task)
        said = [token for word in self._said for token in word.tokens][-width // 2 :]
        places = len(self._audio) // PLACE
        stop = min(places + END_MARGIN, self._sound_end() + AFTERWARDS) if last else places - END_MARGIN
        prompt = [*before, *start, vocabulary.no_timestamps, *said]
        most = max(50, TOKENS_PER_SECOND * len(self._audio) // mel.RATE)
        limit = min(most, width - len(prompt))
        end = ANYWHERE if last else stop
        row = Following(vocabulary, prompt, cross, self._suppress, stop, end, limit)
        return (yield from self._engine.live_batch.follow(row))

    def _words(self, followed: Followed) -> list[Heard]:
        assert self._language is not None
        words = self._vocabulary.words(followed.tokens, self._language)
        edges = np.cumsum([0, *(len(word.tokens) for word in words)]).tolist()
        spans = [followed.places[first:last] for first, last in pairwise(edges)]
        found: list[Heard] = []
        for index, (word, places) in enumerate(zip(words, spans, strict=True)):
            following = min(spans[index + 1]) if index + 1 < len(spans) else math.inf
            end = max(max(places) + 1, min(following, max(places) + LONGEST_END))
            chances = [math.exp(value) for value in followed.logprobs[edges[index] : edges[index + 1]]]
            one = Heard(word.text, word.tokens, min(places), max(places), int(end), mean(chances))
            if found and (one.text in MARKS or found[-1].text in MARKS):
                one = _joined(found.pop(), one)
            found.append(one)
        return found

    def _commit(self, heard: Heard, word: Word) -> None:
        self._last_end = word.end
        self._recent = [*self._recent, word.text][-REMEMBERED:]
        self._said.append(Said(heard.tokens, max(self._end_of_said, min(heard.end * PLACE, len(self._audio)))))

    @property
    def _end_of_said(self) -> int:
        """Samples of the buffer to the end of the word committed last."""
        return self._said[-1].end if self._said else 0

    def _timed(self, heard: Sequence[Heard], last: bool) -> tuple[Word, ...]:
        """In the stream's time, after the word committed last, and before what was fed ends.

        Unless these are the `last`, there is room for another word behind them.
        """
        origin, fed = self._origin / mel.RATE, (self._origin + len(self._audio)) / mel.RATE
        words = [
            Word(one.text, origin + one.first * SECONDS_PER_PLACE, origin + one.end * SECONDS_PER_PLACE, one.confidence)
            for one in heard
        ]
        until = fed if last else fed - END_MARGIN * SECONDS_PER_PLACE
        found = spaced(words, self._last_end, until)
        return tuple(replace(word, start=round(word.start, 2), end=round(word.end, 2)) for word in found)


def _joined(word: Heard, other: Heard) -> Heard:
    """Two as one: a mark and the word before it, or, where that is committed already, the word after it."""
    base = other if word.text in MARKS else word
    return replace(base, text=word.text + other.text, tokens=word.tokens + other.tokens, last=other.last, end=other.end)
