"""The voices of a model: speakers that it knows by name, and those of recordings, prepared in steps and kept."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.resample import resample
from speechmlx.engines.cosyvoice.generation import Generation
from speechmlx.engines.finite import finite
from speechmlx.engines.parts import fbank, s3_tokenizer
from speechmlx.engines.parts.campplus import CamPlus
from speechmlx.engines.parts.mel_bands import vocoder_mel
from speechmlx.engines.parts.remembered import Remembered
from speechmlx.engines.parts.s3_tokenizer import S3Tokenizer
from speechmlx.engines.parts.token_flow import BANDS, CHUNK, FRAMES, FlowPrompt
from speechmlx.errors import BadRequest, UnknownVoice
from speechmlx.names import listed
from speechmlx.types import Audio

KEPT = 16
"""Voices of recordings."""
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds of a recording."""
SPEAKER_BANDS = 80


@dataclass(frozen=True)
class PreparedVoice:
    """What the networks take of a voice."""

    tokens: tuple[int, ...]
    """Speech tokens of the recording; () for a speaker by name."""
    flow: FlowPrompt


def check_recording(audio: Audio) -> None:
    """Raises BadRequest for a recording that is too short or too long to imitate, or silent."""
    if not SHORTEST <= audio.duration <= LONGEST:
        raise BadRequest(
            f"the voice's recording has {audio.duration:.1f} s; {SHORTEST:g} to {LONGEST:g} s of one person's speech "
            "are needed"
        )
    if not np.any(audio.samples):
        raise BadRequest("the voice's recording is silent")


class VoiceBook:
    """Prepares voices. The last KEPT ones of recordings are kept."""

    def __init__(
        self,
        generation: Generation,
        named: Mapping[str, NDArray[np.float32]],
        rate: int,
        hop: int,
        imitating: tuple[S3Tokenizer, CamPlus] | None,
    ) -> None:
        """`named`: embeddings [192] of speakers. `rate` and `hop` (samples): of the spectrogram.

        `imitating`: the networks that hear a recording; None for a generation that takes none.
        """
        self._generation, self.named, self._imitating = generation, dict(named), imitating
        self._rate, self._hop = rate, hop
        self._kept = Remembered[PreparedVoice](KEPT)

    def by_name(self, name: str | None) -> PreparedVoice:
        """A speaker by name; the first for None. Raises BadRequest and UnknownVoice, which tell what there is."""
        if not self.named:
            raise BadRequest(
                "this model has no voices of its own; it imitates one: give a recording of a person "
                "(prompt_speech), and what is said in it (prompt_text)"
            )
        key = next(iter(self.named)) if name is None else name
        if key not in self.named:
            imitated = "" if self._imitating is None else "; or give a recording to imitate (prompt_speech)"
            raise UnknownVoice(
                f"no voice {key!r:.60}; the voices are "
                + listed(key, self.named, "GET /v1/audio/voices lists all")
                + imitated
            )
        return PreparedVoice((), FlowPrompt(self.named[key]))

    def of(self, audio: Audio) -> Generator[None, None, PreparedVoice]:
        """The voice of a recording that `check_recording` has passed, in bounded steps."""
        key = sha256(audio.samples.tobytes()).hexdigest() + str(audio.rate)
        return self._kept.get_in_steps(key, lambda: self._prepare(audio))

    def forget(self) -> None:
        """Free the voices of recordings."""
        self._kept.clear()

    def _prepare(self, audio: Audio) -> Generator[None, None, PreparedVoice]:
        assert self._imitating is not None, "the generation refuses recordings"
        tokenizer, network = self._imitating
        low = resample(audio.samples, audio.rate, s3_tokenizer.RATE)
        tokens = yield from tokenizer.tokens(low)
        features = fbank.filter_bank(low, "povey", SPEAKER_BANDS, 1.0)
        speaker = yield from network.embedding(mx.array(features - features.mean(axis=0)))
        embedding = finite(np.array(speaker), "the embedding of a voice")
        yield
        high = resample(audio.samples, audio.rate, self._rate)
        generation = self._generation
        mel = vocoder_mel(high, self._rate, generation.fft, self._hop, BANDS, generation.highest)
        flow = _aligned(tokens, mel, embedding) if generation.is_chunked else FlowPrompt(embedding, tokens, mel)
        return PreparedVoice(tokens, flow)


def _aligned(tokens: tuple[int, ...], mel: NDArray[np.float32], speaker: NDArray[np.float32]) -> FlowPrompt:
    """Tokens and frames of one length. A whole number of chunks is kept, from the end, where there is one.

    So speech after it begins a chunk, and its first sound does not wait for the tokens that fill one.
    """
    count = min(len(tokens), len(mel) // FRAMES)
    first = count % CHUNK if count >= CHUNK else 0
    return FlowPrompt(speaker, tokens[first:count], mel[FRAMES * first : FRAMES * count])
