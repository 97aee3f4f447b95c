"""The Kokoro engine: converts text to 24 kHz speech, one piece at a time, in bounded steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions, Steps
from speechmlx.engines.finite import finite
from speechmlx.engines.kokoro import encoder, sharing, vocoder
from speechmlx.engines.kokoro.encoding import EncodedPiece, PieceInput, encode
from speechmlx.engines.kokoro.layers import Weights
from speechmlx.engines.kokoro.pieces import Pronounce, Read, SpeechPiece, pieces
from speechmlx.engines.kokoro.sharing import SpeechState
from speechmlx.engines.kokoro.voices import Voices, language_of
from speechmlx.engines.kokoro.word_times import NO_SOUND, SpeechSound, SpokenWordTimes
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.sentence_stream import SentenceStream, speak_all
from speechmlx.engines.weights import evaluate_finite
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading import SpokenWord, pronunciation
from speechmlx.reading.lexicon import user_lexicon
from speechmlx.reading.reading import Passage, passages
from speechmlx.types import (
    Chunk,
    Event,
    Progress,
    ReferenceVoice,
    Request,
    Speak,
    SpeakStream,
    Synthesis,
    WordTimes,
)

Encoding = Callable[[PieceInput], Generator[None, None, EncodedPiece]]
"""Encodes a piece in steps."""
SLOWEST, FASTEST = 0.25, 4.0
SEED = 0  # seed of the noise of each piece: a piece sounds the same in any text
WARM_UP = "Hello."
QUOTED = 80  # characters of an unpronounceable text quoted in the error
LOAD_SLICE = 40  # tensors evaluated in one step of loading


@dataclass(frozen=True)
class Kokoro:
    """A loaded model: the parts of the network, the voices and the phoneme vocabulary. Holds no state of requests."""

    encoder: encoder.TextEncoder
    vocoder: vocoder.Vocoder
    voices: Voices
    vocabulary: dict[str, int]
    longest: int
    """Maximum number of tokens in one piece, without the start and end tokens."""
    nbytes: int

    def run(self, request: Request) -> Steps:
        """Synthesise a `Speak` request. Yields `WordTimes` and a `Chunk` per piece of text, then `Usage`, and None.

        A text without a letter or a digit is a short silence. Raises BadRequest for a speed out of range, a blank text
        and one whose letters the voice does not know, UnknownVoice for a voice that does not exist, and Unsupported for
        a language, an option or a kind of voice that this model does not support.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"Kokoro answers Speak requests, not {type(request).__name__}")
        return self._speak(request)

    def open(self, request: Request) -> SentenceStream:
        """Open a stream that synthesises its text sentence by sentence. Raises the same errors as `run`."""
        if not isinstance(request, SpeakStream):
            raise Unsupported(f"Kokoro streams SpeakStream requests, not {type(request).__name__}")
        return SentenceStream(self.delivery(request), reads_ssml=True)

    def _speak(self, request: Speak) -> Iterator[Event | None]:
        delivery = self.delivery(request)
        yield None
        yield from speak_all(delivery, request.text)

    def delivery(self, request: Synthesis) -> Delivery:
        """Validate `request` and resolve its voice and language. Raises the same errors as `run`."""
        if not SLOWEST <= request.speed <= FASTEST:
            raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
        if request.options:
            raise Unsupported(f"Kokoro has no options, but was given {', '.join(sorted(request.options))}")
        if isinstance(request.voice, ReferenceVoice):
            raise Unsupported("Kokoro cannot imitate the voice of a recording; name one of its own voices")
        language = None if request.language is None else pronunciation.language(request.language)
        voice = request.voice.name if request.voice else self.voices.default(language)
        styles = self.voices.blend(voice)
        spoken = language_of(voice, self.voices.names) if language in (None, "en") else language
        read = partial(passages, language=spoken, lexicon=user_lexicon(request.pronunciations, spoken))
        reader = pronunciation.reader(spoken)
        return Delivery(self, styles, read, reader.steps, reader.in_runs, request.speed)

    def encode(self, piece: PieceInput) -> Generator[None, None, EncodedPiece]:
        """Encode a piece alone, in bounded steps. Raises NotFinite."""
        (encoded,) = yield from encode(self.encoder, [piece])
        return encoded

    def synthesize(
        self, phonemes: str, styles: mx.array, speed: float, encoding: Encoding | None = None
    ) -> Iterator[SpeechSound | None]:
        """Synthesise one piece of at most `longest` phonemes. Each step evaluates one part of the network.

        `encoding`: how it is encoded; None: alone. Raises NotFinite where the sound is none.
        """
        tokens = mx.array([0, *(self.vocabulary[p] for p in phonemes), 0])
        piece = PieceInput(tokens, styles[min(len(phonemes), len(styles)) - 1], speed)
        encoded = yield from self.encode(piece) if encoding is None else encoding(piece)
        decoded = self.vocoder.decode(encoded.text, encoded.pitch, encoded.energy, encoded.timbre)
        source = self.vocoder.source(encoded.pitch, mx.random.key(SEED))
        mx.eval(decoded, source)
        yield None
        samples = decoded
        for samples in self.vocoder.generate(decoded, source, encoded.timbre):
            mx.eval(samples)  # at once: MLX may have started to compute parts of it
            yield None
        pcm16 = _pcm16(finite(np.array(samples), "the synthesis of speech"))
        yield SpeechSound(Chunk(pcm16, vocoder.RATE), np.cumsum(encoded.frames) * vocoder.FRAME)


class SharingKokoro(Kokoro):
    """A loaded model on a GPU, which encodes the texts of several `Speak` requests together."""

    max_batch = 4

    def begin(self, request: Request) -> SpeechState:
        """Begin a `Speak` request. Raises the same errors as `run`."""
        if not isinstance(request, Speak):
            raise Unsupported(f"Kokoro answers Speak requests, not {type(request).__name__}")
        state = SpeechState(request.priority)
        delivery = self.delivery(request)
        delivery.encoding = state.encode
        state.steps = speak_all(delivery, request.text)
        return state

    def step(self, states: Sequence[SpeechState]) -> list[list[Event | Exception]]:
        return sharing.step(self.encoder, states)

    def end(self, state: SpeechState) -> None:
        state.leave()


@dataclass
class Delivery:
    """The synthesis of one request: its voice, language and speed, and counts of the output so far."""

    engine: Kokoro
    styles: mx.array
    """Style vectors of the voice [510, 1, 256]: one row for each number of tokens."""
    read: Read
    pronounce: Pronounce
    in_runs: bool
    """Whether `pronounce` may give the phonemes of several words to the first of them."""
    speed: float
    encoding: Encoding | None = None
    """How pieces are encoded; None: each alone."""
    at: int = 0
    """Characters of the request's text before the part that is spoken."""
    tokens: int = 0
    samples: int = 0
    written: bool = False
    """Whether any text was more than white space."""
    unsaid: str = ""
    """The first text with words that had no phonemes."""
    words: SpokenWordTimes = field(default_factory=SpokenWordTimes)

    def speak(self, text: str) -> Iterator[Event | None]:
        """Synthesise the next part of the request's text.

        Yields `WordTimes` and a `Chunk` per piece, a `Chunk` per break, None after other steps, nothing without words.
        """
        tokens, has_words = self.tokens, False

        def read(text: str) -> Iterator[Passage]:
            nonlocal has_words
            for passage in self.read(text):
                has_words = has_words or any(isinstance(token, SpokenWord) for token in passage.tokens)
                yield passage

        self.written = self.written or bool(text.strip())
        engine = self.engine
        for piece in pieces(text, read, self.pronounce, engine.vocabulary, engine.longest, self.in_runs):
            if piece is None:
                yield None
            else:
                yield from self._piece(piece)
        if has_words and self.tokens == tokens and not self.unsaid:
            self.unsaid = text.strip()
        self.at += len(text)

    def _piece(self, piece: SpeechPiece) -> Iterator[Event | None]:
        sound = NO_SOUND
        if piece.phonemes:
            speed = min(max(self.speed * piece.rate, SLOWEST), FASTEST)
            for step in self.engine.synthesize(piece.phonemes, self.styles, speed, self.encoding):
                if step is None:
                    yield None
                else:
                    sound = step
            self.tokens += len(piece.phonemes)
        if words := self.words.add(piece.words, sound, self.samples / vocoder.RATE, self.at):
            yield WordTimes(words)
        if sound is not NO_SOUND:
            yield self._counted(sound.chunk)
        if piece.silence:
            yield self._counted(Chunk.silence(vocoder.RATE, piece.silence))

    def _counted(self, chunk: Chunk) -> Chunk:
        self.samples += len(chunk.pcm16) // 2
        return chunk

    def finish(self) -> Iterator[Event | None]:
        """A short silence if there was nothing to say, and the usage of the whole request.

        Raises BadRequest, with the start of the text, for words without phonemes, and for white space.
        """
        if not self.samples and (self.unsaid or not self.written):
            quoted = self.unsaid[:QUOTED]
            raise BadRequest(f"nothing in the text can be said: {quoted!r}; choose a voice of its language")
        yield from last_events(self.samples, vocoder.RATE, tokens_in=self.tokens)


def _pcm16(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes()


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, Kokoro]:
    """Read the weights in slices, build the layers, and synthesise WARM_UP if the options ask for it.

    Raises WeightsDamaged for a weight, and NotFinite for a sound of WARM_UP, that is not finite numbers.
    """
    config = json.loads((folder / "config.json").read_text())
    on_cpu = options.device == "cpu"
    dtype = mx.float32 if on_cpu else getattr(mx, options.dtype)  # narrower types are slower on a CPU
    weights = Weights(_tensors(folder), dtype, on_cpu)
    names = sorted(weights.tensors)
    for start in range(0, len(names), LOAD_SLICE):
        evaluate_finite({name: weights.tensors[name] for name in names[start : start + LOAD_SLICE]})
        yield Progress("load", min(start + LOAD_SLICE, len(names)), len(names))
    encoding, sounding = encoder.build(weights, config), vocoder.build(weights, config)
    engine = (Kokoro if on_cpu else SharingKokoro)(
        encoder=encoding,
        vocoder=sounding,
        voices=Voices.of(folder / "voices", dtype),
        vocabulary=config["vocab"],
        longest=int(config["plbert"]["max_position_embeddings"]) - 2,
        nbytes=bytes_of(encoding, sounding),
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
