"""The engine of F5-TTS: says a text as a recording goes on, piece by piece, each made of noise in bounded steps."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from safetensors.numpy import load_file

from speechmlx import languages
from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import LoadOptions, Steps
from speechmlx.engines.f5.joining import Joiner
from speechmlx.engines.f5.names import one_layout, size_of
from speechmlx.engines.f5.network import Conditions, F5Network, NetworkVersion
from speechmlx.engines.f5.recording import ReferenceMel, prepared_voice
from speechmlx.engines.f5.sampling import Sampling
from speechmlx.engines.f5.settings import read_sampling
from speechmlx.engines.f5.text import numbered, read_symbols
from speechmlx.engines.finite import finite
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.pace import LayerPace, LayerPaced
from speechmlx.engines.parts.remembered import Remembered
from speechmlx.engines.parts.sentence_stream import SentenceStream, speak_all
from speechmlx.engines.parts.vocos import RATE, VocosDecoder
from speechmlx.engines.parts.warm_up import noise
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import BadRequest, UnknownVoice, Unsupported
from speechmlx.names import listed
from speechmlx.reading.pauses import parts
from speechmlx.types import (
    Audio,
    Chunk,
    Event,
    NamedVoice,
    Progress,
    ReferenceVoice,
    Request,
    Speak,
    SpeakStream,
    Synthesis,
)

if TYPE_CHECKING:
    from speechmlx.types import Samples

SLOWEST, FASTEST = 0.25, 4.0
LANGUAGES = ("en", "zh")
MOST_VOICES = 8
"""Voices whose spectrograms are kept."""
MOST_FRAMES = 4096
"""Frames of a recording and what follows it, at most: 44 s."""
VOCODER = "vocoder "
"""Begins the names of its weights while they are loaded with the network's."""
WARM_UP, NOISE = "Hello there.", 1.0
"""What is said as soon as it is loaded, and how many seconds a noise has that is imitated as if it said that."""
NO_VOICE = (
    "F5-TTS imitates the voice of a recording, and none was given: send one as the file 'prompt_speech' of a form with "
    "its words as 'prompt_text', or store it once by POST /v1/audio/voices and name it as 'voice'"
)


@dataclass
class F5(LayerPaced):
    """A loaded model. Holds no state of requests, but the spectrograms of the last voices."""

    network: F5Network
    vocoder: VocosDecoder
    symbols: dict[str, int]
    voices: dict[str, ReferenceVoice]
    """Recordings that the model brings."""
    method: str
    steps: int
    pace: LayerPace = field(default_factory=LayerPace)
    known: Remembered[ReferenceMel] = field(default_factory=lambda: Remembered(MOST_VOICES))

    @property
    def nbytes(self) -> int:
        return self.network.nbytes + self.vocoder.nbytes

    def run(self, request: Request) -> Steps:
        """Speak a text in bounded steps: `Chunk`*, then `Usage`.

        Raises UnknownVoice, Unsupported for a language or an option, and BadRequest, also for a recording without text.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"F5-TTS answers Speak requests, not {type(request).__name__}")
        return speak_all(self.delivery(request), request.text)

    def open(self, request: Request) -> SentenceStream:
        """Open a stream that speaks each sentence once it is complete. Raises the same errors as `run`."""
        if not isinstance(request, SpeakStream):
            raise Unsupported(f"F5-TTS streams SpeakStream requests, not {type(request).__name__}")
        return SentenceStream(self.delivery(request))

    def delivery(self, request: Synthesis) -> F5Delivery:
        """Check `request` and find its voice."""
        if not SLOWEST <= request.speed <= FASTEST:
            raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
        language = languages.code(request.language)
        if language not in (None, *LANGUAGES):
            raise Unsupported(f"F5-TTS speaks {' and '.join(LANGUAGES)}, not {request.language!r:.40}")
        sampling = read_sampling(request.options, self.method, self.steps)
        return F5Delivery(self, self._voice(request.voice, language), sampling, request.speed)

    def _voice(self, voice: NamedVoice | ReferenceVoice | None, language: str | None) -> ReferenceVoice:
        if isinstance(voice, ReferenceVoice):
            return voice
        own = tuple(self.voices)
        if voice is None:
            fitting = [name for name in own if name.endswith(f"_{language or LANGUAGES[0]}")] or own
            if not fitting:
                raise BadRequest(NO_VOICE)
            return self.voices[fitting[0]]
        if voice.name not in self.voices:
            has = listed(voice.name, own, "GET /v1/audio/voices lists all") if own else "none"
            raise UnknownVoice(
                f"no voice {voice.name!r:.60}; the model's own are {has}; or send a recording to imitate"
            )
        return self.voices[voice.name]

    def knows(self, voice: ReferenceVoice) -> ReferenceMel:
        """The spectrogram of a voice. Raises BadRequest for a recording that cannot be imitated."""
        return self.known.get((voice.id, voice.text), lambda: prepared_voice(voice.audio, voice.text))

    def say(self, piece: str, known: ReferenceMel, sampling: Sampling, speed: float) -> Generator[None, None, Samples]:
        """Say one piece of text in steps → samples at RATE. Raises NotFinite."""
        symbols = mx.array(numbered(known.text + piece, self.symbols))
        frames = max(known.length(piece, speed), known.mel.shape[0] + 1, symbols.size + 1)
        if frames > MOST_FRAMES:
            raise BadRequest(f"{piece[:60]!r} would take too long to say at the pace of the voice's recording")
        given = self.network.conditions(known.mel, symbols, frames, sampling.guidance > 0)
        mx.eval(given.known, given.text)
        yield None
        noise = mx.random.normal((frames, known.mel.shape[1]), key=mx.random.key(sampling.seed))
        mel = yield from sampling.follow(noise, partial(self._direction, given, sampling.guidance))
        mel = mx.concatenate([known.mel, mel[known.mel.shape[0] :]])[known.frames :]
        sound = yield from self.pace.run(self.vocoder.layers(), mel[None], "vocoder")
        samples: Samples = finite(np.array(sound, np.float32), "the synthesis of speech") / np.float32(known.gain)
        return samples

    def _direction(
        self, given: Conditions, guidance: float, noisy: mx.array, time: float
    ) -> Generator[None, None, mx.array]:
        """The direction at a time [t, bands], away from the one that knows nothing."""
        rows = mx.broadcast_to(noisy.astype(self.network.dtype)[None], (given.known.shape[0], *noisy.shape))
        found = yield from self.pace.run(self.network.layers(time, given), rows)
        found = found.astype(mx.float32)
        return found[0] + (found[0] - found[1]) * guidance if guidance > 0 else found[0]


@dataclass
class F5Delivery:
    """The synthesis of one request, and what it has said so far."""

    engine: F5
    voice: ReferenceVoice
    sampling: Sampling
    speed: float
    joiner: Joiner = field(default_factory=Joiner)
    samples: int = 0
    letters: int = 0
    is_written: bool = False
    """Whether any text was more than white space."""

    def speak(self, text: str) -> Iterator[Event | None]:
        """`Chunk`* of a text and its pauses, None after other steps; the end of the last chunk comes with the next."""
        self.is_written = self.is_written or bool(text.strip())
        known = self.engine.knows(self.voice)
        yield None
        for part in parts(text):
            if part.seconds:
                yield from self._chunk(self.joiner.end())
                yield from self._chunk(np.zeros(round(part.seconds * RATE), np.float32))
                continue
            for piece in known.pieces(part.text, self.speed):
                if any(letter.isalnum() for letter in piece):
                    self.letters += len(piece)
                    sound = yield from self.engine.say(piece, known, self.sampling, self.speed)
                    yield from self._chunk(self.joiner.add(sound))

    def _chunk(self, samples: Samples) -> Iterator[Chunk]:
        if len(samples):
            self.samples += len(samples)
            yield Chunk(to_pcm16(samples), RATE)

    def finish(self) -> Iterator[Event | None]:
        """The end of the last chunk, or a short silence where there was nothing to say; and the usage of it all."""
        yield from self._chunk(self.joiner.end())
        if not self.samples and not self.is_written:
            raise BadRequest("there is no word in the text")
        yield from last_events(self.samples, RATE, tokens_in=self.letters)


def build(folder: Path, options: LoadOptions) -> Generator[Progress, None, F5]:
    """Read the weights in slices, and speak WARM_UP where the options ask for it."""
    config, dtype = read_config(folder), getattr(mx, options.dtype)
    network = one_layout(read_weights(folder))
    network = {
        name: array.astype(dtype) if mx.issubdtype(array.dtype, mx.floating) else array
        for name, array in network.items()
    }
    vocoder = {VOCODER + name: array.astype(mx.float32) for name, array in read_weights(folder / "vocoder").items()}
    size = size_of(network, config.get("heads"))
    weights = yield from settle(network | vocoder)
    version = NetworkVersion(first_head=bool(config["first_head"]), fills=bool(config["fills"]))
    symbols = read_symbols(folder, size.symbols - 1)
    engine = F5(
        network=F5Network({name: weights[name] for name in network}, size, version),
        vocoder=VocosDecoder({name.removeprefix(VOCODER): weights[name] for name in vocoder}),
        symbols=symbols,
        voices=_own_voices(folder / "voices"),
        method=str(config["method"]),
        steps=int(config["steps"]),
    )
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _warm_up(engine: F5) -> Generator[Progress, None, None]:
    """Say WARM_UP in the model's first voice, or in that of a noise, which is forgotten."""
    voice = None if engine.voices else ReferenceVoice(noise(NOISE, RATE), WARM_UP, "warm-up")
    for done, _ in enumerate(engine.run(Speak(text=WARM_UP, voice=voice, options={"steps": 1, "method": "euler"}))):
        yield Progress("warm_up", done, done + 1)
    if voice is not None:
        engine.known.clear()


def _own_voices(folder: Path) -> dict[str, ReferenceVoice]:
    """The recordings of a model's folder; none where it has no such folder."""
    if not folder.is_dir():
        return {}
    texts = read_config(folder)["texts"]
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        samples = load_file(path)["samples"].astype(np.float32) / np.float32(32768)
        found[path.stem] = ReferenceVoice(Audio(samples, RATE), texts[path.stem], path.stem)
    return found
