"""The engine: parts of the texts of several requests, whole or while they are written, in the voices of a model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.frame_synthesis import FrameSynthesis
from speechmlx.engines.parts.launched import Launched
from speechmlx.engines.qwen3_tts.cloning import RATE, ClonedVoice, VoiceShelf
from speechmlx.engines.qwen3_tts.codec import SpeechCodec
from speechmlx.engines.qwen3_tts.frames import FrameLoop
from speechmlx.engines.qwen3_tts.prompt import PromptVoice, PromptWriter
from speechmlx.engines.qwen3_tts.shape import DrawDefaults, QwenTtsConfig
from speechmlx.engines.qwen3_tts.speech_row import FRAMES_A_TOKEN, LEAST_FRAMES, SpeechRow
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.text import MOST, TextPart, TextSource, TextTokenizer, WholeText, WordText
from speechmlx.engines.qwen3_tts.wishes import SpeechWishes, read_wishes
from speechmlx.reading.plain import PlainText
from speechmlx.types import Event, ReferenceVoice, Speak, SpeakStream, Synthesis

FRAME_RATE = 12.5
FRAMING = 16
"""Rows of a prompt that are neither text nor a recording, at most."""


class Qwen3Tts(FrameSynthesis[SpeechRow]):
    """A loaded model."""

    name = "Qwen3-TTS"
    frames_by = "the talker"
    loop: FrameLoop

    def __init__(
        self,
        talker: Talker,
        config: QwenTtsConfig,
        defaults: DrawDefaults,
        tokenizer: TextTokenizer,
        codec: SpeechCodec,
        shelf: VoiceShelf,
        *,
        nbytes: int,
        fused: bool = False,
        pipelined: bool = False,
    ) -> None:
        """`nbytes`: of all weights. `fused`: for a GPU. `pipelined`: for a device that would wait for Python."""
        loop = FrameLoop(talker, config, talker.model.norm.weight.dtype, fused, pipelined)
        super().__init__(loop, nbytes, codec.decoder.open(1).nbytes)
        self.config, self._defaults, self._encode = config, defaults, tokenizer
        self._talker, self._codec, self._shelf = talker, codec, shelf

    @property
    def held(self) -> int:
        """Bytes of the open requests at their full length, and of the voices that were heard."""
        return super().held + self._shelf.nbytes

    def _state(self, request: Speak | SpeakStream) -> SpeechRow:
        wishes = read_wishes(request, self.config, self._defaults)
        row = self._row(request, wishes, self._source(request, wishes))
        if isinstance(wishes.voice, ReferenceVoice):
            row.hearing = self._shelf.hear(wishes.voice)
        row.complete = isinstance(request, Speak)
        return row

    def _source(self, request: Synthesis, wishes: SpeechWishes) -> TextSource:
        """Raises BadRequest for a text that cannot be read."""
        plain = PlainText(request.pronunciations, languages.code(request.language))
        if isinstance(request, Speak):
            return WholeText(self._encode, request.text, plain)
        # Text stands beside the frames of a recording, and what was read cannot be changed: a sentence that is shorter
        # than the recording is spoken by itself once it is complete, and a longer text while it is being written.
        told, frames = self._recording(wishes.voice)
        return WordText(self._encode, plain, min(MOST, max(0, frames + 1 - told)) if frames else 0)

    def _recording(self, voice: str | ReferenceVoice | None) -> tuple[int, int]:
        """Tokens of the text of a voice's recording, and its frames at most; 0 and 0 where that text is not known."""
        if not isinstance(voice, ReferenceVoice) or not voice.text.strip():
            return 0, 0
        return len(self._encode(voice.text.strip())), int(voice.audio.duration * FRAME_RATE) + 2

    def _row(self, request: Synthesis, wishes: SpeechWishes, source: TextSource) -> SpeechRow:
        voice = wishes.voice
        lengths = (len(part.tokens) for part in source.parts if isinstance(part, TextPart))
        tokens = max(lengths, default=1) if isinstance(request, Speak) else MOST
        rows = FRAMING + len(self._encode(wishes.instructions)) + tokens + sum(self._recording(voice))
        frames = min(self._defaults.max_frames, max(LEAST_FRAMES, FRAMES_A_TOKEN * tokens))
        if wishes.drawing.frames is not None:
            frames = min(frames, wishes.drawing.frames)
        # The reference reads a text beside the frames only for a recording's voice, unless it is still being written.
        dual = isinstance(voice, ReferenceVoice) or isinstance(request, SpeakStream)
        write = partial(self._writer, wishes, dual)
        prefix = None
        if isinstance(voice, ReferenceVoice) and voice.text.strip():
            prefix = voice.id, voice.text.strip(), wishes.language, wishes.instructions
        return SpeechRow(
            source,
            wishes.drawing,
            self._defaults.max_frames,
            write,
            keeps_on=isinstance(source, WordText),
            prefix=prefix,
            rate=RATE,
            seed=wishes.drawing.seed,
            longest=rows + frames,
        )

    def _writer(self, wishes: SpeechWishes, dual: bool, voice: ClonedVoice | None) -> PromptWriter:
        who = PromptVoice()
        if isinstance(wishes.voice, str):
            who = PromptVoice(code=self.config.voices[wishes.voice])
        elif isinstance(wishes.voice, ReferenceVoice) and voice is not None:
            text = tuple(self._encode(wishes.voice.text.strip())) if voice.frames is not None else ()
            who = PromptVoice(vector=voice.vector, frames=voice.frames, text=text)
        return PromptWriter(
            self.config, self._encode, who, language=wishes.language, instructions=wishes.instructions, dual=dual
        )

    def forget_voices(self) -> None:
        """Forget what was heard of recordings."""
        self._shelf.clear()

    def _begin(self, state: SpeechRow, events: list[Event | Exception]) -> None:
        if not state.can_begin:
            return
        if state.writer is None:
            state.writer = state.write(state.voice)
            if not state.can_begin:
                return
        self.loop.join(state.begin_part())
        assert state.part is not None
        prompt = state.writer.write(state.part)
        state.at = prompt.taken
        state.tokens_in += len(prompt)
        state.unread = self._talker.embed(prompt)
        self._recall(state, prompt.shared)
        heard = state.voice.heard if state.voice else None
        state.sound = StreamRows(heard.arrays) if heard else self._codec.decoder.open(1)

    def _read_piece(self, state: SpeechRow, most: int) -> int:
        assert state.row is not None
        read = super()._read_piece(state, most)
        if state.shared and state.row.length >= state.shared:
            self._remember(state)
        return read

    def _recall(self, state: SpeechRow, shared: int) -> None:
        """Begin with what was read before for the same voice."""
        assert state.row is not None
        assert state.unread is not None
        known = self._shelf.prefixes.get(state.prefix) if shared else None
        if known is None:
            state.shared = shared
        else:
            self.loop.recall(state.row, known)
            state.unread = state.unread[len(known) :]

    def _remember(self, state: SpeechRow) -> None:
        """Keep what was read of a voice, where there is memory for it, and where it is numbers."""
        assert state.row is not None
        length, state.shared = state.shared, 0
        if length * self.loop.memory.position_bytes <= self.room.free:
            prefix = self.loop.prefix(state.row, length)
            if prefix.is_finite():  # else every later request with the voice would fail
                self._shelf.prefixes.keep(state.prefix, prefix)

    def _launch(self, states: Sequence[SpeechRow]) -> None:
        rows = [state.row for state in states if state.row]
        self.loop.launch(rows, [state.next_text() for state in states])

    def _pause(self, state: SpeechRow) -> None:
        assert state.row is not None
        self.loop.leave(state.row)
        state.row = state.part = None

    def _chosen(self, due: Sequence[SpeechRow]) -> Sequence[SpeechRow]:
        return due

    def _decode(self, states: Sequence[SpeechRow]) -> None:
        """Begin to decode the frames of `states`: those with equally many together, and all at once."""
        groups = [
            [state for state in states if len(state.pending) == count]
            for count in sorted({len(state.pending) for state in states})
        ]
        decoded = [self._decoded(group) for group in groups]
        mx.async_eval([(samples, past.arrays) for samples, past in decoded])
        for group, (samples, past) in zip(groups, decoded, strict=True):
            launched = Launched(samples)
            for place, state in enumerate(group):
                state.sound = StreamRows(past.arrays)
                state.sound.keep([place])
                state.decode(launched, place)

    def _decoded(self, states: Sequence[SpeechRow]) -> tuple[mx.array, StreamRows]:
        """The samples [states, n] of the next frames of `states`, and what the decoder remembers; not computed yet."""
        codes = mx.array(np.stack([np.stack(state.pending, axis=1) for state in states]))
        past = [state.sound for state in states if state.sound is not None]
        joined = StreamRows(past[0].arrays)
        for other in past[1:]:
            joined.join(other)
        return self._codec.decoder.step(codes, joined), joined
