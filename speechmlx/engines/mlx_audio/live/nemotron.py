"""Nemotron's streaming recognisers live: an encoder with caches and a transducer, chunk by chunk, nothing twice.

A word comes once the chunk is full that holds its last token. How long a chunk is, the request's `delay` says: models
are trained for some lengths, 0.08 to 1.12 seconds. All that a stream holds has a constant size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.arguments import spelt_language
from speechmlx.engines.mlx_audio.live.blocks import SampleBlocks
from speechmlx.engines.mlx_audio.live.transducer import GreedyTransducer
from speechmlx.engines.mlx_audio.live.words import StreamWords, TimedToken
from speechmlx.errors import Unsupported
from speechmlx.types import LanguageDetected, Usage

if TYPE_CHECKING:
    from speechmlx.engines import Steps
    from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
    from speechmlx.types import Listen, Samples

DELAY = 0.56
"""Seconds of a chunk, about, where the request does not say."""


class NemotronStream:
    """One live input: a `Stream`. It changes nothing on the model."""

    held = 0
    """Its caches have a constant size of a few MB."""

    def __init__(self, checkpoint: BridgedModel, request: Listen) -> None:
        """Raises Unsupported for a language or a task that the model lacks."""
        if request.task == "translate":
            raise Unsupported(f"{checkpoint.family} does not translate; it writes what is said")
        self._model = model = checkpoint.model
        self._prompt = prompt_key(checkpoint, request.language)
        self._named = request.language
        self._language = ""
        """The language told last."""
        audio, streaming, self._pieces = (
            package.inside("stt", "nemotron_asr", name) for name in ("audio", "streaming", "tokenizer")
        )
        settings, factor = model.preprocessor_config, model.encoder_config.subsampling_factor
        left, right = chunk_context(model, DELAY if request.delay is None else request.delay)
        ahead = 1 + factor * right if model.model_type == "nemotron_asr_streaming" else factor * (1 + right)
        self._encoder = streaming.ConformerStreamingState(
            model.encoder, att_context_size=[left, right], first_chunk_mel=ahead
        )
        self._mel = audio.StreamingLogMelSpectrogram(settings)
        # A block has the samples that complete a chunk: its frames, and half a window after the last one's middle.
        hop, half = settings.hop_length, settings.n_fft // 2
        self._blocks = SampleBlocks(factor * (1 + right) * hop, half + (ahead - 1) * hop)
        self._rate, self._shortest = settings.sample_rate, settings.n_fft
        self._frame = factor * hop / settings.sample_rate
        """Seconds of a frame of the encoder."""
        self._frames = 0
        """Frames decoded so far."""
        self._decoder = GreedyTransducer(model)
        self._words = StreamWords()

    def feed(self, samples: Samples) -> Steps:
        for block in self._blocks.push(samples):
            yield from self._hear(block)

    def finish(self) -> Steps:
        rest = self._blocks.rest()
        heard = self._blocks.given
        if heard:
            yield from self._hear(np.pad(rest, (0, max(0, self._shortest - heard))), final=True)
        if (told := self._words.finish()) is not None:
            yield told
        yield Usage(audio_in=heard / self._rate)

    def close(self) -> None:
        self._encoder = self._mel = None
        self._decoder = GreedyTransducer(self._model)

    def _hear(self, block: Samples, final: bool = False) -> Steps:
        mel = self._mel.push(mx.array(block), final=final)
        for encoded in self._encoder.push(mel, final=final):
            frames = self._model.apply_prompt(encoded, self._prompt)
            self._encoder.materialize(frames)
            yield None
            yield from self._decode(frames)

    def _decode(self, frames: mx.array) -> Steps:
        """Tell the words and the language of `frames` [1, n, d]."""
        tokens, vocabulary = [], self._model.vocabulary
        heard = self._blocks.given / self._rate  # the last frames may end behind the sound
        if self._named and not self._language:
            self._language = languages.code(self._named) or self._named
            yield LanguageDetected(self._language, 1.0)
        for place, token, chance in self._decoder.decode(frames):
            start, end = (min(heard, (self._frames + place + ahead) * self._frame) for ahead in (0, 1))
            if self._pieces.is_lang_tag(vocabulary[token]):
                yield from self._detected(vocabulary[token][1:-1], chance)
            elif not self._pieces.is_special_piece(vocabulary[token]):
                text = self._pieces.piece_to_text(vocabulary[token])
                tokens.append(TimedToken(text, start, end, chance))
        self._frames += frames.shape[1]
        if (told := self._words.add(tokens, self._frames * self._frame)) is not None:
            yield told

    def _detected(self, tag: str, chance: float) -> Steps:
        code = languages.code(tag) or tag
        if not self._named and code != self._language:
            self._language = code
            yield LanguageDetected(code, chance)


def chunk_context(model: Any, delay: float) -> tuple[int, int]:
    """(left, right) frames of attention: the longest chunk that takes `delay` seconds at most, else the shortest."""
    frame = model.encoder_config.subsampling_factor * model.preprocessor_config.hop_length
    trained = [(int(left), int(right)) for left, right in model.encoder_config.att_context_size]
    left, right = (int(size) for size in model.default_att_context_size)
    known = sorted(trained or [(left, right)], key=lambda size: size[1])
    fitting = [size for size in known if (size[1] + 1) * frame <= delay * model.preprocessor_config.sample_rate + 1]
    return fitting[-1] if fitting else known[0]


def prompt_key(checkpoint: BridgedModel, language: str | None) -> str:
    """The model's own name of `language`; None: that of finding it out. Raises Unsupported for another language."""
    model = checkpoint.model
    if language is None:
        return str(model.default_language)
    known = [key for key in model.prompt_dictionary if key != "auto"] or [model.default_language]
    return spelt_language(language, known)
