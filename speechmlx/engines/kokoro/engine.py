"""The Kokoro engine: `Speak` requests become 24 kHz speech, a piece of the text at a time, in bounded steps."""

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
from speechmlx.types import Chunk, Event, Progress, Request, Speak, Usage

SLOWEST, FASTEST = 0.25, 4.0
SEED = 0  # every piece starts from the same noise, so it sounds the same in any text
WARM_UP = "Hello."
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
        language or an option this model does not have.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"Kokoro answers Speak requests, not {type(request).__name__}")
        return self._speak(request)

    def _speak(self, request: Speak) -> Iterator[Event | None]:
        if not SLOWEST <= request.speed <= FASTEST:
            raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
        if request.options:
            raise Unsupported(f"Kokoro has no options, but was given {', '.join(sorted(request.options))}")
        language = None if request.language is None else g2p.language(request.language)
        voice = request.voice or self.voices.default(language)
        styles = self.voices.blend(voice)
        read = g2p.reader(language_of(voice, self.voices.names) if language in (None, "en") else language)
        yield None
        tokens, samples = 0, 0
        for phonemes in pieces(request.text, partial(g2p.steps, read), self.vocabulary, self.longest):
            if phonemes is None:
                yield None
                continue
            for step in self._say(phonemes, styles, request.speed):
                yield step
                samples += len(step.pcm16) // 2 if step else 0
            tokens += len(phonemes)
        if not tokens:
            raise BadRequest(f"nothing in the text can be said: {request.text[:80]!r}")
        yield Usage(audio_out=samples / vocoder.RATE, tokens_in=tokens)

    def _say(self, phonemes: str, styles: mx.array, speed: float) -> Iterator[Chunk | None]:
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
