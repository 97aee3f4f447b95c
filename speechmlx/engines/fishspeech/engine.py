"""The engine: requests come and go between frames, and each frame is one step for all of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from speechmlx import languages
from speechmlx.engines import LONG_AIM, Room
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.fishspeech.firefly import RATE, FireflyDecoder
from speechmlx.engines.fishspeech.frames import FishLoop, FishRow
from speechmlx.engines.fishspeech.network import DualAr
from speechmlx.engines.fishspeech.settings import FishSettings, read_settings
from speechmlx.engines.fishspeech.shape import DualArShape
from speechmlx.engines.fishspeech.speaking import FishSpeaking
from speechmlx.engines.fishspeech.text_tokens import FishTokens
from speechmlx.engines.fishspeech.voices import ReferenceShelf, check_recording
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.parts.kv_rows import bytes_of
from speechmlx.engines.parts.launched import Launched
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import Command, End, Event, FeedText, ReferenceVoice, Request, Speak, SpeakStream, Synthesis

log = logging.getLogger(__name__)

MAX_BATCH = 8
CONTEXT = 4096
"""Positions of a sequence, at most: the reference implementation goes no further."""
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 128, 32, 1024
"""Positions of prompts read in a step: the first time, at least and at most."""
LANGUAGES = ("en", "zh", "ja", "de", "fr", "es", "ko", "ar", "ru", "nl", "it", "pl", "pt")


class FishSpeech:
    """Answers `Speak` and `SpeakStream`: `Chunk`* and a `Usage`."""

    def __init__(
        self,
        model: DualAr,
        shape: DualArShape,
        tokens: FishTokens,
        decoder: FireflyDecoder,
        shelf: ReferenceShelf,
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
        self._tokens, self._decoder, self.shelf = tokens, decoder, shelf
        self.loop = FishLoop(model, shape, model.norm.weight.dtype, fused, pipelined)
        self._context = min(CONTEXT, shape.positions)
        self._piece = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._sound_bytes = decoder.open(1).nbytes
        self._open: list[FishSpeaking] = []

    @property
    def held(self) -> int:
        """Bytes of the open requests at their full length."""
        return self._bytes([state.longest for state in self._open])

    def _bytes(self, lengths: Sequence[int]) -> int:
        return bytes_of(self.loop.memory.position_bytes, lengths) + len(lengths) * self._sound_bytes

    # --- Requests ----------------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> FishSpeaking:
        """Raises Unsupported and BadRequest for what cannot be, Busy where memory is held by others."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"FishSpeech speaks; it cannot {type(request).__name__.lower()}")
        settings = self._settings(request)
        voice = request.voice
        if isinstance(voice, ReferenceVoice):
            check_recording(voice.audio)
            state = FishSpeaking(settings, self._tokens, self._context, voice.text.strip(), self.shelf.hear(voice))
        else:
            if voice is not None:
                log.warning("FishSpeech has no voices by name, and no recording is stored as the one asked for")
            state = FishSpeaking(settings, self._tokens, self._context, "", None)
        if isinstance(request, Speak):
            if not request.text.strip():
                raise BadRequest("there is no word in the text")
            check_pauses(request.text)
            state.end(request.text)
        state.longest = self._longest(state, voice.audio.duration if isinstance(voice, ReferenceVoice) else 0.0)
        self.room.claim(self._bytes([*(one.longest for one in self._open), state.longest]))
        self._open.append(state)
        return state

    def _settings(self, request: Synthesis) -> FishSettings:
        if request.speed != 1.0:
            raise Unsupported(f"FishSpeech speaks at its own speed, so speed is 1, not {request.speed:g}")
        language = languages.asked(request.language)
        if language is not None and languages.match(language, LANGUAGES) is None:
            raise languages.refusal(language, LANGUAGES, "FishSpeech")
        return read_settings(request.options)

    def _longest(self, state: FishSpeaking, seconds: float) -> int:
        """Positions that the sequence of a request may come to. Raises BadRequest where the recording fills it."""
        tokens = self._tokens
        base = tokens.system().shape[1]
        if seconds:
            base += tokens.asked(state.said).shape[1] + math.ceil(seconds * RATE / self._decoder.frame) + 2
        if base > self._context * 3 // 4:
            raise BadRequest(
                f"the recording and what is said in it take {base} positions, and {self._context * 3 // 4} may be: "
                "send 5 to 15 s, and the words of that part"
            )
        if not state.is_ended:
            return self._context
        turns = sum(tokens.asked(piece).shape[1] + 1 + state.settings.frames for piece in state.coming)
        return min(self._context, base + turns)

    def feed(self, state: FishSpeaking, command: Command) -> None:
        """More text, or its end."""
        if isinstance(command, FeedText):
            state.feed(command.text)
        elif isinstance(command, End):
            state.end()
        else:
            raise Unsupported(f"FishSpeech does not take {type(command).__name__} commands")

    def end(self, state: FishSpeaking) -> None:
        """Frees the request's place and what the codec remembers of it."""
        state.finished = True
        if state.row is not None:
            self.loop.leave(state.row)
        if state.hearing is not None:
            state.hearing.close()
        state.row = state.hearing = state.sound = state.unread = state.decoding = None
        self._open.remove(state)

    # --- Steps -------------------------------------------------------------------------------------------------------

    def step(self, states: Sequence[FishSpeaking]) -> Sequence[Sequence[Event | Exception]]:
        """Hear a piece of a recording or read pieces of prompts, then a frame of each request, and a chunk of sound."""
        found: StepEvents = {id(state): [] for state in states}
        self._hear(next((state for state in states if state.hearing and not state.finished), None), found)
        for state in states:
            if not state.finished:
                with ends_alone(state, found):
                    self._begin(state, found)
        reading = [state for state in states if not state.finished]
        if any(map(_unread, reading)):
            self.loop.settle()
            for state in self._open:
                state.settle()
        read_shortest_first(self._piece, self.aim, reading, _unread, self._read_piece)
        self._speak([state for state in states if not state.finished and state.can_speak], found)
        self._sound([state for state in states if not state.finished], found)
        for state in states:
            if not state.finished:
                found[id(state)] += state.closing()
        return [found[id(state)] for state in states]

    def _hear(self, state: FishSpeaking | None, found: StepEvents) -> None:
        """One step of hearing the recording of a voice."""
        if state is None or state.hearing is None:
            return
        try:
            next(state.hearing)
        except StopIteration as heard:
            state.hear(heard.value)
        except Exception as error:  # one recording's fault
            state.finished, state.hearing = True, None
            found[id(state)].append(error)

    def _begin(self, state: FishSpeaking, found: StepEvents) -> None:
        """Begin the next piece of the text; silences before it are heard at once."""
        while (piece := state.next_piece()) is not None:
            if isinstance(piece, float):
                found[id(state)].append(state.heard(np.zeros(round(piece * RATE), np.float32)))
                continue
            before = state.row
            new = state.begin(piece)
            if new is not None:
                if before is not None:
                    self.loop.leave(before)
                self.loop.join(new)
            state.sound = self._decoder.open(1)

    def _read_piece(self, state: FishSpeaking, most: int) -> int:
        assert state.row is not None
        assert state.unread is not None
        piece, rest = state.unread[:, :most], state.unread[:, most:]
        is_last = not rest.shape[1]
        self.loop.read(state.row, piece, last=is_last)
        state.unread = None if is_last else rest
        return piece.shape[1]

    def _speak(self, states: Sequence[FishSpeaking], found: StepEvents) -> None:
        """Launch a frame of each of `states` whose turn may have one more, and take those that may be read."""
        going = list[FishRow]()
        for state in states:
            assert state.row is not None
            state.row.at_once = not state.goes_on or state.at_once
            if state.goes_on:
                going.append(state.row)
        if going:
            self.loop.launch(going)
        for state in states:
            assert state.row is not None
            for frame in self.loop.take(state.row):
                if not frame.good:
                    state.finished = True
                    found[id(state)].append(NotFinite("the synthesis of frames"))
                    break
                if state.take(frame):
                    self.loop.forget(state.row)
                    break

    def _sound(self, states: Sequence[FishSpeaking], found: StepEvents) -> None:
        """The sound that the last step launched, then a chunk of the state that has waited longest.

        Pipelined, the next frames are computed behind it before it is read, unless it is the first one.
        """
        for state in states:
            if state.decoding:
                found[id(state)].append(state.sounds())
        due = [state for state in states if not state.finished and state.due]
        if not due:
            return
        for state in due:
            state.waited += 1
        state = max(due, key=lambda one: one.waited)
        assert state.sound is not None
        is_first = not state.chunks
        codes, count = state.next_codes()
        samples = self._decoder.step(codes, state.sound)
        mx.async_eval(samples, state.sound.arrays)
        state.decoding = Launched(samples), count * self._decoder.frame
        if is_first or not self.loop.pipelined:
            found[id(state)].append(state.sounds())


def _unread(state: FishSpeaking) -> int:
    return 0 if state.unread is None else state.unread.shape[1]
