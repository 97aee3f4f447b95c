"""The Kokoro engine: text becomes 24 kHz speech, a piece at a time, in bounded steps."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions, Steps
from speechmlx.engines.kokoro import encoder, g2p, vocoder
from speechmlx.engines.kokoro.layers import Weights
from speechmlx.engines.kokoro.pieces import pieces
from speechmlx.engines.kokoro.voices import Voices, language_of
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.text import finished
from speechmlx.types import (
    Chunk,
    Event,
    Progress,
    ReferenceVoice,
    Request,
    Speak,
    SpeakStream,
    Synthesis,
    Usage,
)

SLOWEST, FASTEST = 0.25, 4.0
SEED = 0  # every piece starts from the same noise, so it sounds the same in any text
WARM_UP = "Hello."
SHOWN = 80  # characters of a text that cannot be said, in the error
LOAD_SLICE = 40  # tensors evaluated in one step of loading


@dataclass(frozen=True)
class Kokoro:
    """A loaded model: the network's parts, its voices and its alphabet of phonemes. Holds nothing of a request."""

    encoder: encoder.TextEncoder
    vocoder: vocoder.Vocoder
    voices: Voices
    vocabulary: dict[str, int]
    longest: int
    """Most tokens in one piece, without the two that frame it."""
    nbytes: int

    def run(self, request: Request) -> Steps:
        """`Speak` → a `Chunk` per piece of text as it is ready, then `Usage`; None in between.

        Raises BadRequest for a speed out of range or text that cannot be said, UnknownVoice, Unsupported for a
        language, an option or a kind of voice that this model does not have.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"Kokoro answers Speak requests, not {type(request).__name__}")
        return self._speak(request)

    def open(self, request: Request) -> SpeechStream:
        """`SpeakStream` → a stream of text that is spoken sentence by sentence. Raises what `run` does."""
        if not isinstance(request, SpeakStream):
            raise Unsupported(f"Kokoro streams SpeakStream requests, not {type(request).__name__}")
        return SpeechStream(self.delivery(request))

    def _speak(self, request: Speak) -> Iterator[Event | None]:
        delivery = self.delivery(request)
        yield None
        yield from delivery.speak(request.text)
        yield delivery.usage(request.text)

    def delivery(self, request: Synthesis) -> Delivery:
        """How `request` is spoken, checked. Raises what `run` does."""
        if not SLOWEST <= request.speed <= FASTEST:
            raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
        if request.options:
            raise Unsupported(f"Kokoro has no options, but was given {', '.join(sorted(request.options))}")
        if isinstance(request.voice, ReferenceVoice):
            raise Unsupported("Kokoro cannot imitate the voice of a recording; name one of its own voices")
        language = None if request.language is None else g2p.language(request.language)
        voice = request.voice.name if request.voice else self.voices.default(language)
        styles = self.voices.blend(voice)
        read = g2p.reader(language_of(voice, self.voices.names) if language in (None, "en") else language)
        return Delivery(self, styles, read, request.speed)

    def synthesize(self, phonemes: str, styles: mx.array, speed: float) -> Iterator[Chunk | None]:
        """One piece of at most `longest` phonemes; every step evaluates one part of the network."""
        tokens = mx.array([0, *(self.vocabulary[p] for p in phonemes), 0])
        style = styles[min(len(phonemes), len(styles)) - 1]
        timbre, manner = mx.split(style, 2, axis=1)
        context = self.encoder.context(tokens)
        mx.eval(context)
        yield None
        rhythm = self.encoder.rhythm(context, manner)
        mx.eval(rhythm)
        yield None
        text = self.encoder.text(tokens)
        durations = self.encoder.durations(rhythm)
        mx.eval(text, durations)
        yield None
        frames = np.maximum(np.rint(np.array(durations) / speed), 1).astype(np.int64)
        spread = mx.array(np.repeat(np.arange(len(frames)), frames))
        pitch, energy = self.encoder.prosody(rhythm[spread], manner)
        mx.eval(pitch, energy)
        yield None
        decoded = self.vocoder.decode(text[spread], pitch, energy, timbre)
        source = self.vocoder.source(pitch, mx.random.key(SEED))
        mx.eval(decoded, source)
        yield None
        sound = decoded
        for sound in self.vocoder.generate(decoded, source, timbre):
            mx.eval(sound)  # before anything else runs: parts of it are under way already
            yield None
        yield Chunk(_pcm16(np.array(sound)), vocoder.RATE)


@dataclass
class Delivery:
    """One request being spoken: its voice, language and speed, and what was spoken so far."""

    engine: Kokoro
    styles: mx.array
    """The voice [510, 1, 256], a row per number of tokens."""
    read: g2p.Reader
    speed: float
    tokens: int = 0
    samples: int = 0

    def speak(self, text: str) -> Iterator[Event | None]:
        """A `Chunk` per piece of `text`; None in between. Text that cannot be said makes no sound."""
        steps = partial(g2p.steps, self.read)
        for phonemes in pieces(text, steps, self.engine.vocabulary, self.engine.longest):
            if phonemes is None:
                yield None
                continue
            for step in self.engine.synthesize(phonemes, self.styles, self.speed):
                yield step
                self.samples += len(step.pcm16) // 2 if step else 0
            self.tokens += len(phonemes)

    def usage(self, text: str) -> Usage:
        """The cost of all that was spoken, which is `text`. Raises BadRequest where none of it could be said."""
        if not self.tokens:
            raise BadRequest(f"nothing in the text can be said: {text[:SHOWN]!r}")
        return Usage(audio_out=self.samples / vocoder.RATE, tokens_in=self.tokens)


class SpeechStream:
    """One `SpeakStream`: each sentence is spoken once it is surely whole, as it would be in a whole text."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._beginning = ""
        self._rest = ""

    def feed_text(self, text: str) -> Steps:
        if len(self._beginning) < SHOWN:
            self._beginning += text
        sentences, self._rest = finished(self._rest + text)
        for sentence in sentences:
            yield from self._delivery.speak(sentence)

    def finish(self) -> Steps:
        yield from self._delivery.speak(self._rest)
        yield self._delivery.usage(self._beginning)

    def close(self) -> None:
        """It holds nothing but text."""


def _pcm16(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, Kokoro]:
    """Reads the weights in slices, folds them into layers and says one word to warm up."""
    config = json.loads((folder / "config.json").read_text())
    on_cpu = options.device == "cpu"
    dtype = mx.float32 if on_cpu else getattr(mx, options.dtype)  # narrower types are slower there, not faster
    weights = Weights(_tensors(folder), dtype, on_cpu)
    names = sorted(weights.tensors)
    for start in range(0, len(names), LOAD_SLICE):
        mx.eval([weights.tensors[name] for name in names[start : start + LOAD_SLICE]])
        yield Progress("load", min(start + LOAD_SLICE, len(names)), len(names))
    engine = Kokoro(
        encoder=encoder.build(weights, config),
        vocoder=vocoder.build(weights, config),
        voices=Voices.of(folder / "voices", dtype),
        vocabulary=config["vocab"],
        longest=int(config["plbert"]["max_position_embeddings"]) - 2,
        nbytes=sum(math.prod(t.shape) for t in weights.tensors.values()) * dtype.size,
    )
    if options.warm_up:
        for done, _ in enumerate(engine.run(Speak(text=WARM_UP))):
            yield Progress("warm_up", done, done + 1)
    return engine


def _tensors(folder: Path) -> dict[str, mx.array]:
    tensors: dict[str, mx.array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors |= cast(dict[str, mx.array], mx.load(str(path)))
    return tensors
