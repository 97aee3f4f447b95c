"""The engine: requests come and go between frames, and each frame is one step for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.engines import LONG_AIM, Room
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.parts.causal_conv import StreamRows
from speechmlx.engines.parts.kv_rows import bytes_of
from speechmlx.engines.parts.last_events import last_events
from speechmlx.engines.parts.launched import Launched
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.qwen3_tts.cloning import RATE, ClonedVoice, VoiceShelf
from speechmlx.engines.qwen3_tts.codec import SpeechCodec
from speechmlx.engines.qwen3_tts.frames import FrameLoop, FrameRow
from speechmlx.engines.qwen3_tts.prompt import PromptVoice, PromptWriter
from speechmlx.engines.qwen3_tts.shape import DrawDefaults, QwenTtsConfig
from speechmlx.engines.qwen3_tts.speech_row import FRAMES_A_TOKEN, LEAST_FRAMES, SpeechRow
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.text import MOST, TextBreak, TextPart, TextSource, TextTokenizer, WholeText, WordText
from speechmlx.engines.qwen3_tts.wishes import SpeechWishes, read_wishes
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.plain import PlainText
from speechmlx.types import (
    Command,
    End,
    Event,
    FeedText,
    FlushText,
    ReferenceVoice,
    Request,
    Speak,
    SpeakStream,
    Synthesis,
)

MAX_BATCH = 8
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 128, 32, 1024
"""Rows of prompts read in a step: the first time, at least and at most."""
FRAME_RATE = 12.5
FRAMING = 16
"""Rows of a prompt that are neither text nor a recording, at most."""


class Qwen3Tts:
    """Answers `Speak` and `SpeakStream`: `Chunk`* and a `Usage`."""

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
        self.aim = LONG_AIM
        self.room: Room = Unlimited()
        self.nbytes = nbytes
        self.max_batch = self.max_open = MAX_BATCH
        self.config, self._defaults, self._encode = config, defaults, tokenizer
        self._talker, self._codec, self._shelf = talker, codec, shelf
        self.loop = FrameLoop(talker, config, talker.model.norm.weight.dtype, fused, pipelined)
        self._piece = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._sound_bytes = codec.decoder.open(1).nbytes
        self._open: list[SpeechRow] = []

    @property
    def held(self) -> int:
        """Bytes of the open requests at their full length, and of the voices that were heard."""
        return self._bytes([row.longest for row in self._open]) + self._shelf.nbytes

    def _bytes(self, lengths: Sequence[int]) -> int:
        return bytes_of(self.loop.memory.position_bytes, lengths) + len(lengths) * self._sound_bytes

    def begin(self, request: Request) -> SpeechRow:
        """Raises UnknownVoice, Unsupported and BadRequest for what cannot be, Busy where memory is held by others."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"Qwen3-TTS speaks; it cannot {type(request).__name__.lower()}")
        wishes = read_wishes(request, self.config, self._defaults)
        source = self._source(request, wishes)
        row = self._row(request, wishes, source)
        self._claim(row.longest)
        if isinstance(wishes.voice, ReferenceVoice):
            row.hearing = self._shelf.hear(wishes.voice)
        row.complete = isinstance(request, Speak)
        self._open.append(row)
        return row

    def _source(self, request: Synthesis, wishes: SpeechWishes) -> TextSource:
        """Raises BadRequest for a text that cannot be read."""
        plain = PlainText(request.pronunciations, languages.code(request.language))
        if isinstance(request, Speak):
            if not request.text.strip():
                raise BadRequest("there is no word in the text")
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
        longest, keeps_on = rows + frames, isinstance(source, WordText)
        return SpeechRow(source, wishes.drawing, self._defaults.max_frames, longest, write, keeps_on, prefix)

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

    def _claim(self, length: int) -> None:
        """Claim memory for one more request. Heard voices go first."""
        lengths = [*(row.longest for row in self._open), length]
        if self._bytes([length]) > self.room.most:
            most = max(0, self.room.most)
            raise BadRequest(
                f"the text needs {self._bytes([length]) / 1e6:.0f} MB beside the model, and its requests may have "
                f"{most / 1e6:.0f} MB (--memory-limit)"
            )
        if self._bytes(lengths) + self._shelf.nbytes - self.held > self.room.free:
            self._shelf.clear()
        self.room.claim(self._bytes(lengths) + self._shelf.nbytes)

    def feed(self, state: SpeechRow, command: Command) -> None:
        if isinstance(command, FeedText):
            if not state.stopped:
                state.source.feed(command.text)
        elif isinstance(command, FlushText):
            if state.stopped:
                state.source.parts.append(TextBreak(flushed=True))
            else:
                state.source.flush()
        elif isinstance(command, End):
            if not state.stopped:
                state.source.end()
            state.complete = True
        else:
            raise Unsupported(f"Qwen3-TTS does not take {type(command).__name__} commands")

    def step(self, states: Sequence[SpeechRow]) -> Sequence[Sequence[Event | Exception]]:
        """Hear a piece of a voice or read pieces of prompts, then a frame of each request that is being spoken."""
        found: StepEvents = {id(state): [] for state in states}
        live = [state for state in states if not state.finished]
        self._hear(next((state for state in live if state.hearing), None), found)
        self._read([state for state in live if not state.finished], found)
        self._speak([state for state in live if not state.finished and state.can_speak], found)
        self._sound([state for state in live if not state.finished], found)
        for state in live:
            while not state.finished and state.break_due:
                found[id(state)] += state.take_break()
        for state in live:
            if not state.finished and state.is_over:
                self._finish(state, found)
        return [found[id(state)] for state in states]

    def forget_voices(self) -> None:
        """Forget what was heard of recordings."""
        self._shelf.clear()

    def end(self, state: SpeechRow) -> None:
        """Frees the request's place and what the codec remembers of it."""
        state.finished = True
        self._leave(state)
        if state.hearing is not None:
            state.hearing.close()
        state.hearing = state.sound = state.unread = state.decoding = None
        self._open.remove(state)

    def _leave(self, state: SpeechRow) -> None:
        if state.row is not None:
            self.loop.leave(state.row)
        state.row = state.part = None

    def _hear(self, state: SpeechRow | None, found: StepEvents) -> None:
        """One step of hearing the recording of a voice."""
        if state is None or state.hearing is None:
            return
        try:
            next(state.hearing)
        except StopIteration as heard:
            state.voice, state.hearing = heard.value, None
        except Exception as error:  # one recording's fault
            state.finished, state.hearing = True, None
            found[id(state)].append(error)

    def _read(self, states: Sequence[SpeechRow], found: StepEvents) -> None:
        """Read prompts, the shortest first, up to the rows that a step has time for."""
        for state in states:
            with ends_alone(state, found):
                if state.can_begin:
                    self._begin_part(state)
        reading = [state for state in states if not state.finished]
        if any(map(_unread, reading)):
            self.loop.settle()
            for state in self._open:
                state.settle()
        read_shortest_first(self._piece, self.aim, reading, _unread, self._read_piece)

    def _begin_part(self, state: SpeechRow) -> None:
        if state.writer is None:
            state.writer = state.write(state.voice)
            if not state.can_begin:
                return
        self.loop.join(state.begin_part())
        assert state.part is not None
        prompt = state.writer.write(state.part)
        state.at = prompt.taken
        state.rows += len(prompt)
        state.unread = self._talker.embed(prompt)
        self._recall(state, prompt.shared)
        heard = state.voice.heard if state.voice else None
        state.sound = StreamRows(heard.arrays) if heard else self._codec.decoder.open(1)

    def _read_piece(self, state: SpeechRow, most: int) -> int:
        assert state.row is not None
        assert state.unread is not None
        piece, rest = state.unread[:most], state.unread[most:]
        self.loop.read(state.row, piece, last=not len(rest))
        state.unread = rest if len(rest) else None
        if state.shared and state.row.length >= state.shared:
            self._remember(state)
        return len(piece)

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

    def _speak(self, states: Sequence[SpeechRow], found: StepEvents) -> None:
        """Launch a frame of each of `states` whose text is known, and take those that may be read."""
        rows, texts = list[FrameRow](), list[int]()
        for state in states:
            assert state.row is not None
            assert state.writer is not None
            text = state.text
            state.row.at_once = text is None or state.at_once
            if text is not None:
                state.row.goes_on = state.keeps_on and state.writer.is_text(text)
                rows.append(state.row)
                texts.append(text)
        if rows:
            self.loop.launch(rows, texts)
        for state in states:
            assert state.row is not None
            for frame in self.loop.take(state.row):
                if not frame.good:
                    state.finished = True
                    found[id(state)].append(NotFinite("the talker"))
                    break
                if state.take(frame):
                    self._leave(state)
                    break

    def _sound(self, states: Sequence[SpeechRow], found: StepEvents) -> None:
        """The sound that the last step launched, then that of the frames that are due.

        Pipelined, the next frames are computed behind it before it is read, unless it is waited for.
        """
        for state in states:
            if state.decoding:
                found[id(state)].append(state.sounds())
        due = [state for state in states if not state.finished and state.due]
        waiting = [state for state in due if state.at_once or not self.loop.pipelined]
        self._decode(due)
        for state in waiting:
            found[id(state)].append(state.sounds())

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

    def _finish(self, state: SpeechRow, found: StepEvents) -> None:
        state.finished = True
        counts = {"tokens_in": state.rows, "tokens_out": state.frames, "cut_off": state.cut_off}
        found[id(state)] += last_events(state.samples, RATE, **counts)


def _unread(state: SpeechRow) -> int:
    return 0 if state.unread is None else len(state.unread)
