"""Voxtral's realtime recognisers live: a decoder that reads a frame of sound and writes a token every 80 ms.

The token of a frame comes some frames after it: the delay. A session of the decoder grows with its length, so it ends
where nothing has been said for a while, and another goes on behind the last token's sound: nothing is heard twice, and
nothing is lost.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.live.blocks import SampleBlocks
from speechmlx.engines.mlx_audio.live.named import NamedLanguage
from speechmlx.engines.mlx_audio.live.words import PAUSE, StreamWords, TimedToken
from speechmlx.engines.mlx_audio.tree import floating_type
from speechmlx.errors import Unsupported
from speechmlx.types import Event, Usage

if TYPE_CHECKING:
    from speechmlx.engines import Steps
    from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
    from speechmlx.types import Listen, Samples

FRAME = 0.08
"""Seconds of a frame: of a token."""
SHORTEST_DELAY, LONGEST_DELAY, SLOW = 1, 15, 30
"""Frames between a sound and its token that the models are trained for: the first to the second number, and SLOW."""
AFTER = 11
"""Frames of silence behind the delay at the end of a stream, in which the last words come."""
LONG, LONGEST = round(60 / FRAME), round(240 / FRAME)
"""Frames after which a session ends in a pause, and after which it ends anywhere."""
SPOKEN = 0.4
"""Seconds of a word, at most, where only its end is known."""
QUIET = round(PAUSE / FRAME)
"""Tokens without text that are a pause."""
GROWTH = 256
"""Positions by which the decoder's keys and values grow."""
WINDOWS = 3
"""Windows of the spectrum whose samples are kept for it: it looks half of one back, and at the end mirrors another."""


class VoxtralStream:
    """One live input: a `Stream`, on a clone of the model with a delay of its own."""

    def __init__(self, checkpoint: BridgedModel, request: Listen) -> None:
        """Raises Unsupported for a translation, and for a language that the model does not hear.

        One that it hears changes nothing: it tells them apart by itself.
        """
        if request.task == "translate":
            raise Unsupported(f"{checkpoint.family} does not translate; it writes what is said")
        self._named = NamedLanguage(checkpoint, request.language)
        self._model = checkpoint.model
        usual = self._model.config.transcription_delay_ms / 1000
        self._delay = delay_frames(usual if request.delay is None else request.delay)
        self._decoder = delayed(self._model, self._delay)
        self.held = session_bytes(self._model, self._delay)
        """Bytes of the keys and values of a session at its full length."""
        self._size = round(FRAME * checkpoint.rate)
        """Samples of a frame."""
        self._rate = checkpoint.rate
        self._blocks = SampleBlocks(self._size)
        self._session = DecoderSession(self._model, self._decoder, self._delay)
        self._begin = 0
        """The frame of the stream where the session began."""
        self._kept = np.zeros(0, np.float32)
        """The samples behind the last token's sound: another session would begin with them."""
        self._quiet = 0
        """Tokens without text since the last one with text."""
        self._spoken = 0.0
        """Where the text of that one ends, and so its word."""
        self._marked: float | None = None
        """Where the word has been said whose text comes."""
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._words = StreamWords()

    def feed(self, samples: Samples) -> Steps:
        yield from self._named.tell()
        for block in self._blocks.push(samples):
            yield from self._hear(block)

    def finish(self) -> Steps:
        rest = self._blocks.rest()
        if heard := self._blocks.given:
            silence = np.zeros((self._delay + AFTER) * self._size, np.float32)
            yield from self._hear(np.concatenate([rest, silence]), last=True)
        if (told := self._words.finish()) is not None:
            yield told
        yield Usage(audio_in=heard / self._rate)

    def close(self) -> None:
        self._session.free()
        self._kept, self.held = self._kept[:0], 0

    def _hear(self, block: Samples, last: bool = False) -> Steps:
        self._kept = np.concatenate([self._kept, block])
        self._session.push(block, last)
        yield None
        ended = yield from self._told()
        while ended and not (last and self._begin + self._session.count >= self._heard):
            if (told := self._words.finish()) is not None:
                yield told
            self._restart(last)
            yield None
            ended = yield from self._told()

    def _told(self) -> Generator[Event | None, None, bool]:
        """Tell what the session has to say. Returns whether it has to end."""
        config = self._model.config
        for token, chance in self._session.tokens():
            self._kept = self._kept[self._size :]
            tokens = self._timed(token, chance)
            told = self._words.add(tokens, self._spoken + self._quiet * FRAME)
            yield told  # None where nothing is new: a step ends
            count = self._session.count
            if token == config.eos_token_id or count >= LONGEST or (count >= LONG and self._quiet >= QUIET):
                return True
        return False

    def _timed(self, token: int, chance: float) -> list[TimedToken]:
        """The text of a token with its time.

        A mark comes where a word has been said, before the tokens of its text, of which each takes a frame. Without a
        mark, the time of a text is that of its token.
        """
        config, raw = self._model.config, self._model._tokenizer.token_bytes(token)
        end = min(self._begin + self._session.count, self._heard) * FRAME
        if not raw:
            plain = token in (config.streaming_pad_token_id, config.eos_token_id, config.bos_token_id)
            self._quiet, self._marked = self._quiet + 1, None if plain else end
            return []
        self._quiet, self._spoken = 0, end if self._marked is None else self._marked
        start = end - FRAME if self._marked is None else max(0.0, self._marked - SPOKEN)
        text = self._bytes.decode(raw)  # none where a letter is not complete
        return [TimedToken(text, start, self._spoken, chance)] if text else []

    @property
    def _heard(self) -> float:
        """Frames of the stream so far: no word ends behind them."""
        return self._blocks.given / self._size

    def _restart(self, last: bool) -> None:
        """Go on with another session, behind the last token's sound."""
        self._begin += self._session.count
        self._quiet, self._marked = 0, None
        self._bytes.reset()
        self._session = DecoderSession(self._model, self._decoder, self._delay)
        self._session.push(self._kept, last)


class DecoderSession:
    """The encoder and the decoder from one beginning on: sound in, tokens out, one for each frame of sound."""

    def __init__(self, model: Any, decoder: Any, delay: int) -> None:
        """`decoder` is one that `delayed` made; `delay`: frames between a sound and its token."""
        streaming = package.inside("stt", "voxtral_realtime", "streaming")
        settings, config = model.config.audio_encoding_args, model.config
        self._decoder = decoder
        self._before = config.n_left_pad_tokens
        self._prompt = [config.bos_token_id, *[config.streaming_pad_token_id] * (self._before + delay)]
        self._mel = streaming.StreamingMel(
            model._ensure_mel_filters(),
            window_size=settings.window_size,
            hop_length=settings.hop_length,
            global_log_mel_max=settings.global_log_mel_max,
        )
        self._window, self._group = settings.window_size, round(FRAME * settings.sampling_rate) // settings.hop_length
        self._rate = settings.sampling_rate
        self._received = 0
        """Samples."""
        self._spectrum: mx.array | None = None
        """Columns [mels, n] that are no whole frame yet."""
        self._stages = [
            stage(model.encoder)
            for stage in (streaming.StreamingConvStem, streaming.StreamingEncoder, streaming.StreamingDownsampler)
        ]
        self._rows: mx.array | None = None
        """Frames [n, d] of sound that the decoder has not read."""
        self._cache: Any = None
        self._position = 0
        self._token = 0
        self.count = 0
        """Tokens written."""

    def push(self, samples: Samples, last: bool = False) -> None:
        """Hear `samples` [n], the `last` ones or not."""
        if not self._received:
            silence = round(FRAME * self._rate) * self._before
            samples = np.concatenate([np.zeros(silence, np.float32), samples])
        self._received += len(samples)
        parts = [self._spectrum, self._mel.append(samples)]
        if last:
            parts.append(self._mel.close())
        else:
            self._mel.trim(self._received - WINDOWS * self._window)
        found = [part for part in parts if part is not None]
        if not found:
            return
        columns = mx.concatenate(found, axis=1)
        whole = columns.shape[1] if last else columns.shape[1] // self._group * self._group
        self._spectrum = columns[:, whole:]
        if whole:
            self._encode(columns[:, :whole])

    def tokens(self) -> Iterator[tuple[int, float]]:
        """Each token that the sound so far allows, and its probability. Raises NotFinite."""
        while self._rows is not None and len(self._rows) >= (len(self._prompt) if self._cache is None else 1):
            if self._cache is None:
                count, text = len(self._prompt), self._decoder.embed_tokens(mx.array(self._prompt))
            else:
                count, text = 1, self._decoder.embed_tokens(mx.array([self._token]))
            rows, self._rows = self._rows[:count], self._rows[count:]
            hidden, self._cache = self._decoder.forward(rows + text, start_pos=self._position, cache=self._cache)
            self._position += count
            self._token, chance = _likeliest(self._decoder.logits(hidden[-1]))
            self.count += 1
            yield self._token, chance

    def free(self) -> None:
        """Hold nothing any more."""
        self._rows = self._cache = self._spectrum = None
        self._stages = []

    def _encode(self, columns: mx.array) -> None:
        """Add the frames of `columns` [mels, n] of the spectrum."""
        found = columns
        for stage in self._stages:
            found = stage.step(found)
        if len(found):
            self._rows = found if self._rows is None else mx.concatenate([self._rows, found])
            mx.eval(self._rows)


def _likeliest(logits: mx.array) -> tuple[int, float]:
    wide = logits.astype(mx.float32)
    token, chance = np.array(
        mx.stack([mx.argmax(wide).astype(mx.float32), mx.exp(mx.max(wide) - mx.logsumexp(wide))])
    ).tolist()
    if not np.isfinite(chance):
        raise NotFinite("the recognition of speech")
    return int(token), float(chance)


def delay_frames(delay: float) -> int:
    """The frames nearest to `delay` seconds that the models are trained for."""
    frames = max(SHORTEST_DELAY, round(delay / FRAME))
    return frames if frames <= LONGEST_DELAY else SLOW if frames > (LONGEST_DELAY + SLOW) // 2 else LONGEST_DELAY


def session_bytes(model: Any, delay: int) -> int:
    """Bytes of the keys and values of a session of LONGEST frames, at most.

    The decoder's grow by GROWTH positions up to its window. The encoder's are those of its window, and of the frames
    that are pushed at once: at the beginning the silence before the sound, at the end that behind it.
    """
    heard, before = model.config.encoder_args, model.config.n_left_pad_tokens
    frames = heard.downsample_factor * (before + 2 * (delay + AFTER) + 2)
    frames = max(frames, heard.sliding_window + heard.downsample_factor * (delay + AFTER + 2))
    return _bytes(model, delay, LONGEST, frames)


def recording_bytes(model: Any, seconds: float) -> int:
    """Bytes of the keys and values while the package recognises so many seconds of a recording, at most.

    It encodes what is longer than the encoder's window by windows; of each layer, those of two are there.
    """
    heard, before = model.config.encoder_args, model.config.n_left_pad_tokens
    delay = package.inside("stt", "voxtral_realtime", "config")._num_delay_tokens(model.config.transcription_delay_ms)
    tokens = math.ceil(seconds / FRAME) + delay + AFTER
    frames = heard.downsample_factor * (before + tokens)
    return _bytes(model, delay, tokens, min(frames, 2 * heard.sliding_window) if frames > heard.sliding_window else 0)


def _bytes(model: Any, delay: int, written: int, frames: int) -> int:
    """For `written` tokens behind the prompt, and `frames` of the encoder's."""
    heard, told = model.config.encoder_args, model.config.decoder
    prompt = 1 + model.config.n_left_pad_tokens + delay
    tokens = max(prompt, min(prompt + -(-written // GROWTH) * GROWTH, told.sliding_window))
    widths = tokens * told.n_layers * told.n_kv_heads * told.head_dim
    widths += frames * heard.n_layers * heard.n_heads * heard.head_dim
    return int(2 * widths * floating_type(model).size)


def delayed(model: Any, delay: int) -> Any:
    """The decoder of `model` for tokens that come `delay` frames after their sound. It shares the weights."""
    decoder = structural_clone(model.decoder)
    condition = package.inside("stt", "voxtral_realtime", "decoder").compute_time_embedding(
        float(delay), model.config.decoder.dim
    )
    adapted = decoder.layers[0].ada_rms_norm_t_cond
    if adapted is not None:
        decoder.precompute_ada_scales(condition.astype(adapted.ada_down.weight.dtype))
    return decoder
