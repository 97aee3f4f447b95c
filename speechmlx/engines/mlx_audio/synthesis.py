"""Speech of any TTS family of the package: `Speak`, and `SpeakStream` sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakSet

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.audio.pcm import to_pcm16
from speechmlx.engines import Room, Steps
from speechmlx.engines.finite import finite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.arguments import Accepted
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.claims import ClaimedMemory, claim_room, holding
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.cooperative import Emit
from speechmlx.engines.mlx_audio.imitation import ImitatedVoices
from speechmlx.engines.mlx_audio.phonemizers import ARGUMENTS
from speechmlx.engines.mlx_audio.synthesis_memory import kept_bytes
from speechmlx.engines.parts.sentence_stream import SentenceStream, speak_all
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice, Unsupported
from speechmlx.names import listed
from speechmlx.reading.pauses import parts
from speechmlx.reading.sentences import sentences
from speechmlx.types import (
    Chunk,
    Event,
    NamedVoice,
    ReferenceVoice,
    Request,
    Speak,
    SpeakStream,
    Synthesis,
    Usage,
)
from speechmlx.types.events import SILENCE

SLOWEST, FASTEST = 0.25, 4.0
INTERVAL = 0.32
"""Seconds of audio in a chunk of a family that streams, where the client does not say."""
SEED = 0
"""Where the client names no seed: the same text sounds the same each time."""
MOST_SEED = 2**32 - 1
OWN_OPTIONS = ("seed",)
INSTRUCT = ("instruct", "description", "caption")
LANGUAGE = ("lang_code", "language", "lang")
KEPT_IN = ("voices", "embeddings")
"""Folders of voices in that of a model."""
WITH_TEXT = ("voxcpm", "breeze_tts", "fish_drama3")
"""Families that imitate a recording only where its text is told: the first ignores it else, the others fail."""
USUAL = "word " * 80
"""A long sentence: a stream claims memory for one from the start, and more where a longer one comes."""


@dataclass(eq=False)
class Synthesizer:
    """A loaded TTS model. Each request has a structural clone; those with keys and values claim their memory."""

    checkpoint: BridgedModel
    room: Room = field(default_factory=Unlimited)
    _claims: WeakSet[ClaimedMemory] = field(default_factory=WeakSet)

    @property
    def nbytes(self) -> int:
        return self.checkpoint.nbytes

    @property
    def held(self) -> int:
        """Bytes of the keys and values of the requests, at their full length, and of those kept of voices."""
        return sum(claim.held for claim in self._claims) + self.imitated.nbytes

    @cached_property
    def accepted(self) -> Accepted:
        """What the family's `generate` takes."""
        return Accepted.by(self.checkpoint.family, self.checkpoint.model.generate)

    @cached_property
    def imitated(self) -> ImitatedVoices:
        """What is kept of the voices of recordings."""
        return ImitatedVoices(self.checkpoint.family, self.checkpoint.rate)

    @cached_property
    def voices(self) -> tuple[str, ...]:
        """The names of the model's own voices; () where the family has no list of them."""
        return voices_of(self.checkpoint.model) or voices_in(self.checkpoint.folder)

    def run(self, request: Request) -> Steps:
        """Speak a text, sentence by sentence, in bounded steps; `Chunk`*, then `Usage`.

        Raises UnknownVoice, Unsupported for what the family does not take, which names what it takes, and BadRequest.
        Raises Busy where others hold the memory for its keys and values, BadRequest where it could never have it.
        """
        if not isinstance(request, Speak):
            raise Unsupported(f"{self.checkpoint.family} speaks; it cannot {type(request).__name__.lower()}")
        delivery = self.delivery(request)
        delivery.claim_for(*delivery.pieces(request.text))
        return holding(delivery.claim, self._speak(request.text, delivery))

    def open(self, request: Request) -> ClaimedSentences:
        """Open a stream that speaks each sentence once it is complete. Raises the same errors as `run`.

        A sentence that needs more memory than the stream has claimed raises them before it is spoken.
        """
        if not isinstance(request, SpeakStream):
            raise Unsupported(f"{self.checkpoint.family} speaks; it cannot {type(request).__name__.lower()}")
        delivery = self.delivery(request)
        delivery.claim_for(USUAL)
        return ClaimedSentences(delivery)

    def _claim(self, claim: ClaimedMemory, nbytes: int) -> None:
        """Let `claim` hold `nbytes`. What is kept of voices goes first. Raises Busy and BadRequest as `run`."""
        if self.imitated.nbytes and nbytes - claim.held > self.room.free:
            self.imitated.make_room()
        claim_room(self.room, self.held - claim.held, nbytes, self.checkpoint.family, "the text")
        claim.held = nbytes
        self._claims.add(claim)

    def _speak(self, text: str, delivery: SentenceSpeech) -> Steps:
        if not text.strip():
            raise BadRequest("there is no word in the text")
        yield from speak_all(delivery, text)

    def delivery(self, request: Synthesis) -> SentenceSpeech:
        """Check `request` and make the arguments of the family's function."""
        options = request.options
        arguments = {**ARGUMENTS.get(self.checkpoint.family, {}), **self.accepted.read(options, OWN_OPTIONS)}
        seed = options.get("seed", SEED)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
            raise BadRequest(f"seed must be a whole number from 0 to {MOST_SEED}, not {seed!r:.40}")
        if "seed" in self.accepted:
            arguments["seed"] = seed
        arguments |= self._speed(request.speed) | self._voice(request.voice) | self._language(request.language)
        if request.instructions and (name := self.accepted.first(*INSTRUCT)):
            arguments.setdefault(name, request.instructions)
        if "stream" in self.accepted and self.checkpoint.streams:
            arguments["stream"] = True
            if "streaming_interval" in self.accepted:
                arguments.setdefault("streaming_interval", INTERVAL)
        voice = request.voice if isinstance(request.voice, ReferenceVoice) else None
        return SentenceSpeech(self.checkpoint, arguments, seed, self.imitated, self._claim, voice)

    def _speed(self, speed: float) -> dict[str, Any]:
        if not SLOWEST <= speed <= FASTEST:
            raise BadRequest(f"speed {speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
        if "speed" in self.accepted:
            return {"speed": speed}
        if speed != 1.0:
            raise Unsupported(f"{self.checkpoint.family} speaks at its own speed, so speed is 1, not {speed:g}")
        return {}

    def _voice(self, voice: NamedVoice | ReferenceVoice | None) -> dict[str, Any]:
        if isinstance(voice, ReferenceVoice):
            return self._reference(voice)
        if voice is None:
            return {"voice": self.voices[0]} if self._needs_voice else {}
        if "voice" not in self.accepted or not self.voices:
            has = "imitates the voice of a recording" if "ref_audio" in self.accepted else "has one voice"
            raise Unsupported(f"{self.checkpoint.family} {has} and takes no voice by name, such as {voice.name!r:.60}")
        own = {name.lower(): name for name in self.voices}
        if voice.name.lower() not in own:
            raise UnknownVoice(
                f"no voice {voice.name!r:.60}; the voices are "
                + listed(voice.name, self.voices, "GET /v1/audio/voices lists all")
            )
        return {"voice": own[voice.name.lower()]}

    @property
    def _needs_voice(self) -> bool:
        """Whether the default of the family's function is a voice that this model does not have."""
        default = self.accepted.parameters.get("voice")
        return "voice" in self.accepted and bool(self.voices) and default not in self.voices and default != ""

    def _reference(self, voice: ReferenceVoice) -> dict[str, Any]:
        if "ref_audio" not in self.accepted:
            named = f"; its voices are {', '.join(self.voices)}" if self.voices else ""
            raise Unsupported(f"{self.checkpoint.family} cannot imitate the voice of a recording{named}")
        if self.checkpoint.family in WITH_TEXT and not voice.text.strip():
            raise BadRequest(f"{self.checkpoint.family} imitates a recording only with the text that is spoken in it")
        found: dict[str, Any] = {"ref_audio": self.imitated.samples(voice)}
        if "ref_text" in self.accepted and voice.text.strip():
            found["ref_text"] = voice.text
        return found

    def _language(self, language: str | None) -> dict[str, Any]:
        if language is None:
            return {}
        name = self.accepted.first(*LANGUAGE)
        if name is None:
            raise Unsupported(f"{self.checkpoint.family} takes no language: its voice and its text decide")
        known = getattr(self.checkpoint.model, "get_supported_languages", None)
        if known is None:
            return {name: languages.code(language)}
        names = {str(item).lower(): item for item in known()}
        wanted = languages.name(language).lower()
        if wanted not in names and language.lower() not in names:
            raise Unsupported(
                f"language {language!r:.60} is none of this model's: {', '.join(map(str, names.values()))}"
            )
        return {name: names.get(wanted, names.get(language.lower()))}


@dataclass
class SentenceSpeech:
    """The synthesis of one request: its own clone of the model, its arguments, and what it has spoken so far."""

    checkpoint: BridgedModel
    arguments: Mapping[str, Any]
    seed: int
    imitated: ImitatedVoices
    _claim: Callable[[ClaimedMemory, int], None]
    voice: ReferenceVoice | None = None
    """That is imitated."""
    claim: ClaimedMemory = field(default_factory=ClaimedMemory)
    samples: int = 0
    tokens: int = 0
    _sentences: int = 0
    _own: list[Any] = field(default_factory=list)

    def speak(self, text: str) -> Iterator[Event | None]:
        """`Chunk`* of each sentence and its pauses, None after other steps; nothing where there is nothing to say."""
        for part in (part for sentence in sentences(text) for part in parts(sentence)):
            if part.seconds:
                yield self._silence(part.seconds)
            elif _is_said(part.text):
                yield from self._say(part.text.strip())

    def pieces(self, text: str) -> Iterator[str]:
        """What `speak` says of `text`, each at once."""
        found = (part.text for sentence in sentences(text) for part in parts(sentence) if not part.seconds)
        return (piece.strip() for piece in found if _is_said(piece))

    def claim_for(self, *pieces: str) -> None:
        """Have the memory to say each of `pieces`. Raises Busy and BadRequest, with the numbers."""
        heard = self.voice.audio.duration if self.voice else 0.0
        family, model = self.checkpoint.family, self.checkpoint.model
        needed = max((kept_bytes(family, model, piece, self.arguments, heard) for piece in pieces), default=0)
        if needed > self.claim.held:
            self._claim(self.claim, needed)

    def _silence(self, seconds: float = SILENCE) -> Chunk:
        chunk = Chunk.silence(self.checkpoint.rate, seconds)
        self.samples += len(chunk.pcm16) // 2
        return chunk

    def _say(self, text: str) -> Iterator[Event | None]:
        self.claim_for(text)
        if not self._own:
            self._own.append(structural_clone(self.checkpoint.model))
            if self.voice is not None:
                self.imitated.teach(self._own[0], self.voice)
        self._sentences += 1
        yield from cooperative.steps(lambda emit: self._generate(text, emit), self.seed + self._sentences)

    def _generate(self, text: str, emit: Emit) -> None:
        for result in self._own[0].generate(text=text, **self.arguments):
            if int(result.sample_rate) != self.checkpoint.rate:
                raise EngineFailed(
                    f"{self.checkpoint.family} speaks at {result.sample_rate} Hz, not at {self.checkpoint.rate} as said"
                )
            audio = finite(np.array(result.audio.astype(mx.float32)).reshape(-1), "the synthesis of speech")
            if not len(audio):
                continue
            self.samples += len(audio)
            self.tokens += int(getattr(result, "token_count", 0) or 0)
            emit(Chunk(to_pcm16(audio), self.checkpoint.rate))

    def finish(self) -> Iterator[Event | None]:
        """A short silence where there was nothing to say, and the usage of the whole request."""
        rate = self.checkpoint.rate
        if not self.samples:
            yield self._silence()
        yield Usage(audio_out=self.samples / rate, tokens_out=self.tokens)


class ClaimedSentences(SentenceStream):
    """One `SpeakStream`, and the memory that it claims."""

    def __init__(self, delivery: SentenceSpeech) -> None:
        super().__init__(delivery)
        self._claim = delivery.claim

    @property
    def held(self) -> int:
        """Bytes that it claims now."""
        return self._claim.held

    def close(self) -> None:
        self._claim.held = 0
        super().close()


def _is_said(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def voices_in(folder: Path) -> tuple[str, ...]:
    """Names of the voices in a model's folder: a file of weights each."""
    return tuple(sorted({path.stem for kept in KEPT_IN for path in folder.glob(f"{kept}/*.safetensors")}))


def voices_of(model: Any) -> tuple[str, ...]:
    """Names of the voices that a model of the package lists, in its own spelling."""
    speakers = getattr(model, "get_supported_speakers", None)
    if speakers is not None and (names := tuple(map(str, speakers() or ()))):
        return names
    for holder in (model, getattr(model, "config", None)):
        for name in ("voices", "spk2id", "voice_embeddings", "_voice_embeddings"):
            found = getattr(holder, name, None)
            if isinstance(found, dict) and found:
                aliases = getattr(holder, "voice_aliases", None) or {}
                return tuple(map(str, (*found, *aliases)))
    return ()
