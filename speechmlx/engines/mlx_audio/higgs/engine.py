"""The engine: requests come and go between frames, and each frame is one step for all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines import LONG_AIM, Room
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.checkpoint import BridgedModel
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.higgs.frames import HiggsDrawing, HiggsLoop, HiggsRow, HiggsShape
from speechmlx.engines.mlx_audio.higgs.sound import Fades, HiggsSound
from speechmlx.engines.mlx_audio.higgs.speaking import MOST, HiggsSpeaking, HiggsWishes
from speechmlx.engines.mlx_audio.synthesis import Synthesizer
from speechmlx.engines.parts.kv_rows import bytes_of
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.reading.pauses import check_pauses
from speechmlx.types import Command, End, Event, FeedText, ReferenceVoice, Request, Speak, SpeakStream, Synthesis

MAX_BATCH = 8
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 128, 32, 1024
"""Positions of prompts read in a step: the first time, at least and at most."""
FADE_IN, FADE_OUT = 30.0, 15.0
"""Milliseconds, as the package has them."""
FRAMING = 16
"""Positions of a prompt that are neither text nor a recording, at most."""


class HiggsSpeech:
    """Answers `Speak` and `SpeakStream`: `Chunk`* and a `Usage`."""

    def __init__(self, checkpoint: BridgedModel) -> None:
        self.checkpoint = checkpoint
        self.aim = LONG_AIM
        self.room: Room = Unlimited()
        self.nbytes = checkpoint.nbytes
        self.max_batch = self.max_open = MAX_BATCH
        self._reader, self._model = Synthesizer(checkpoint), checkpoint.model
        builder = self._model._prompt_builder
        builder.encode_text = partial(_encoded, builder.tokenizer, _marks(builder.tokenizer))
        self.loop = HiggsLoop(self._model, HiggsShape.of(self._model.config), checkpoint.on_gpu)
        self._piece = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._open: list[HiggsSpeaking] = []

    @property
    def held(self) -> int:
        """Bytes of the open requests at their full length."""
        return self._bytes([state.longest for state in self._open])

    def _bytes(self, lengths: Sequence[int]) -> int:
        return bytes_of(self.loop.memory.position_bytes, lengths)

    # --- Requests ----------------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> HiggsSpeaking:
        """Raises Unsupported and BadRequest for what cannot be, Busy where memory is held by others."""
        if not isinstance(request, Speak | SpeakStream):
            raise Unsupported(f"Higgs Audio speaks; it cannot {type(request).__name__.lower()}")
        arguments = self._reader.delivery(request).arguments
        voice = request.voice if isinstance(request.voice, ReferenceVoice) else None
        heard = list[mx.array]()
        hearing = None
        if voice is not None:
            work = partial(self._hear_all, voice, arguments["ref_audio"], heard)
            hearing = cooperative.steps(lambda emit: work(), 0)
        state = HiggsSpeaking(self._wishes(request, arguments), self.checkpoint.rate, hearing, heard)
        if isinstance(request, Speak):
            if not request.text.strip():
                raise BadRequest("there is no word in the text")
            check_pauses(request.text)
            state.end(request.text)
        state.longest = self._longest(state, voice)
        self._claim(state.longest)
        self._open.append(state)
        return state

    def _hear_all(self, voice: ReferenceVoice, samples: mx.array, heard: list[mx.array]) -> None:
        own = structural_clone(self._model)
        self._reader.imitated.teach(own, voice)
        with np.errstate(invalid="ignore"):  # its resampling divides zero by zero, and replaces that
            heard.append(own.encode_reference_audio(samples))

    def _wishes(self, request: Synthesis, arguments: Mapping[str, Any]) -> HiggsWishes:
        temperature, top_k, top_p = (arguments.get(name) or 0 for name in ("temperature", "top_k", "top_p"))
        if "temperature" not in arguments:
            temperature = 1.0
        drawing = HiggsDrawing(float(temperature), int(top_k), float(top_p or 1.0))
        rate = self.checkpoint.rate / 1000
        fades = [
            max(0, int(arguments.get(name, usual) * rate))
            for name, usual in (("fade_in_ms", FADE_IN), ("fade_out_ms", FADE_OUT))
        ]
        named = ("max_new_tokens", "max_new_frames", "max_tokens")
        frames = next((int(arguments[name]) for name in named if name in arguments), None)
        return HiggsWishes(drawing, arguments["seed"], frames, Fades(*fades), arguments.get("ref_text") or "")

    def _longest(self, state: HiggsSpeaking, voice: ReferenceVoice | None) -> int:
        """Positions that the sequence of a request may come to. Raises BadRequest where the model has fewer."""
        encode, wishes = self._model._prompt_builder.encode_text, state.wishes
        before = FRAMING + len(encode(wishes.said))
        if voice is not None:
            rate = self.checkpoint.rate / self._model.codec.config.acoustic_hop
            before += math.ceil(max(1.0, voice.audio.duration) * rate) + self.loop.shape.codebooks
        tokens = max((len(encode(text)) for text in state.coming), default=1) if state.is_ended else MOST
        longest, most = before + tokens + wishes.limit(tokens), self._model.config.text_config.max_position_embeddings
        if longest > most:
            raise BadRequest(f"the text, its recording and its frames take {longest} positions; the model has {most}")
        return longest

    def _claim(self, length: int) -> None:
        """Claim memory for one more request."""
        if (needed := self._bytes([length])) > self.room.most:
            raise BadRequest(
                f"the text needs {needed / 1e6:.0f} MB beside the model, and its requests may have "
                f"{max(0, self.room.most) / 1e6:.0f} MB (--memory-limit)"
            )
        self.room.claim(self._bytes([*(state.longest for state in self._open), length]))

    def feed(self, state: HiggsSpeaking, command: Command) -> None:
        """More text, or its end."""
        if isinstance(command, FeedText):
            state.feed(command.text)
        elif isinstance(command, End):
            state.end()
        else:
            raise Unsupported(f"Higgs Audio does not take {type(command).__name__} commands")

    def end(self, state: HiggsSpeaking) -> None:
        """Frees the request's place."""
        state.finished = True
        if state.row is not None:
            self.loop.leave(state.row)
        if state.hearing is not None:
            state.hearing.close()  # type: ignore[attr-defined]
        state.row = state.hearing = state.sound = state.unread = None
        self._open.remove(state)

    # --- Steps -------------------------------------------------------------------------------------------------------

    def step(self, states: Sequence[HiggsSpeaking]) -> Sequence[Sequence[Event | Exception]]:
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

    def _hear(self, state: HiggsSpeaking | None, found: StepEvents) -> None:
        """One step of hearing the recording of a voice."""
        if state is None or state.hearing is None:
            return
        try:
            next(state.hearing)
        except StopIteration:
            state.hearing = None
        except Exception as error:  # one recording's fault
            state.finished, state.hearing = True, None
            found[id(state)].append(error)

    def _begin(self, state: HiggsSpeaking, found: StepEvents) -> None:
        """Begin the next sentence; silences before it are heard at once."""
        while (piece := state.next_piece()) is not None:
            if isinstance(piece, float):
                found[id(state)].append(state.spoken(np.zeros(round(piece * self.checkpoint.rate), np.float32)))
                continue
            self._begin_sentence(state, piece)

    def _begin_sentence(self, state: HiggsSpeaking, text: str) -> None:
        """What comes before the words is the same in all sentences of a request: it is read once."""
        prompt = self._prompt(state, text)
        tokens = len(self._model._prompt_builder.encode_text(text))
        if state.row is None:
            self.loop.join(state.new_row())
        else:
            state.row.length = len(prompt) - tokens - 1
            prompt = prompt[state.row.length :]
        state.unread, state.limit = prompt, state.wishes.limit(tokens)
        state.tokens_in += len(prompt)
        state.sound = HiggsSound(self._model.codec, self.loop.shape, state.wishes.fades)

    def _prompt(self, state: HiggsSpeaking, text: str) -> mx.array:
        """The input rows of a sentence [n, hidden]: the recording, the words, and the mark of their end."""
        references = self._model._normalize_references(
            ref_audio_codes_list=state.heard or None, ref_texts=[state.wishes.said] if state.heard else None
        )
        rows: mx.array = self._model._build_prompt_embeddings(text, references)[0][0]
        return rows

    def _read_piece(self, state: HiggsSpeaking, most: int) -> int:
        assert state.row is not None
        assert state.unread is not None
        piece, rest = state.unread[:most], state.unread[most:]
        self.loop.read(state.row, piece, last=not len(rest))
        state.unread = rest if len(rest) else None
        return len(piece)

    def _speak(self, states: Sequence[HiggsSpeaking], found: StepEvents) -> None:
        """Launch a frame of each of `states` whose sentence may have one more, and take those that may be read."""
        going = list[HiggsRow]()
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

    def _sound(self, states: Sequence[HiggsSpeaking], found: StepEvents) -> None:
        """The sound that the last step launched, then a chunk of the state that has waited longest.

        Pipelined, the next frames are computed behind it before it is read, unless it is the first one.
        """
        for state in states:
            if state.sound is not None and state.sound.is_launched:
                found[id(state)].append(state.spoken(state.sound.read()))
        due = [state for state in states if not state.finished and state.due]
        if not due:
            return
        for state in due:
            state.waited += 1
        state = max(due, key=lambda one: one.waited)
        assert state.sound is not None
        state.sound.launch()
        if not state.samples or not self.loop.pipelined:
            found[id(state)].append(state.spoken(state.sound.read()))


def _marks(tokenizer: Any) -> re.Pattern[str]:
    """What the model's own tokens are written as."""
    return re.compile("|".join(map(re.escape, sorted(tokenizer.get_added_vocab(), key=len, reverse=True))) or "(?!)")


def _encoded(tokenizer: Any, marks: re.Pattern[str], text: str) -> list[int]:
    """A client's text as tokens: marks of the model's own are no text."""
    while marks.search(text):
        text = marks.sub("", text)
    return list(tokenizer.encode(text, add_special_tokens=False))


def _unread(state: HiggsSpeaking) -> int:
    return 0 if state.unread is None else len(state.unread)
