"""Speech in frames: requests come and go between them, and each frame is one step for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from speechmlx.engines import LONG_AIM
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.frame_speech import FrameSpeech
from speechmlx.engines.parts.kv_rows import bytes_of
from speechmlx.engines.parts.prompt_reading import read_shortest_first
from speechmlx.engines.parts.speech_engine import SpeechEngine
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.step_size import StepSize
from speechmlx.types import Event

MAX_BATCH = 8
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 128, 32, 1024
"""Positions of prompts read in a step: the first time, at least and at most."""

State = TypeVar("State", bound=FrameSpeech[Any, Any])


class FrameSynthesis(SpeechEngine[State]):
    """Answers `Speak` and `SpeakStream`: `Chunk`* and a `Usage`. What a frame is, each engine says for itself.

    Pipelined, a frame is launched before the last one is read, and the next frames behind sound on its way.
    """

    frames_by: ClassVar[str] = "the synthesis of frames"
    """What an error of frames that are no numbers names."""
    loop: Any
    """A BatchPlaces, with `read` and `launch`."""

    def __init__(self, loop: Any, nbytes: int, sound_bytes: int = 0) -> None:
        """`nbytes`: of all weights. `sound_bytes`: what the codec's decoder remembers of a request."""
        super().__init__(nbytes, MAX_BATCH)
        self.aim = LONG_AIM
        self.loop = loop
        self._sound_bytes = sound_bytes
        self._piece = StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)

    def _bytes(self, states: Sequence[State]) -> int:
        lengths = [state.longest for state in states]
        return bytes_of(self.loop.memory.position_bytes, lengths) + len(lengths) * self._sound_bytes

    def end(self, state: State) -> None:
        """Frees the request's place and what the codec remembers of it."""
        super().end(state)
        if state.row is not None:
            self.loop.leave(state.row)
        state.row = state.sound = state.unread = state.decoding = None

    def step(self, states: Sequence[State]) -> Sequence[Sequence[Event | Exception]]:
        """Hear a piece of a recording or read pieces of prompts, then a frame of each request, and sound."""
        found: StepEvents = {id(state): [] for state in states}
        self._hear([state for state in states if not state.finished], found)
        self._read([state for state in states if not state.finished], found)
        self._speak([state for state in states if not state.finished and state.can_speak], found)
        self._sound([state for state in states if not state.finished], found)
        for state in states:
            if not state.finished:
                found[id(state)] += state.closing()
        return [found[id(state)] for state in states]

    def _hear(self, states: Sequence[State], found: StepEvents) -> None:
        """One step of hearing the recording of one of `states`."""
        for state in states:
            if state.hearing is None:
                continue
            with ends_alone(state, found):  # one recording's fault
                state.listen()
            return

    def _read(self, states: Sequence[State], found: StepEvents) -> None:
        """Begin what is to be said next, and read prompts, the shortest first, as far as a step has time for."""
        for state in states:
            with ends_alone(state, found):
                self._begin(state, found[id(state)])
        reading = [state for state in states if not state.finished]
        if any(state.left for state in reading):
            self.loop.settle()
            for state in self._open:
                state.settle()
        read_shortest_first(self._piece, self.aim, reading, lambda state: state.left, self._read_piece)

    def _begin(self, state: State, events: list[Event | Exception]) -> None:
        """Begin what is to be said next, if it is time for that: its prompt is `unread` then, and it has a `row`."""
        raise NotImplementedError

    def _read_piece(self, state: State, most: int) -> int:
        piece, rest = state.unread[:most], state.unread[most:]
        self.loop.read(state.row, piece, last=not len(rest))
        state.unread = rest if len(rest) else None
        return len(piece)

    def _speak(self, states: Sequence[State], found: StepEvents) -> None:
        """Launch a frame of each of `states` that goes on, and take those that may be read."""
        for state in states:
            assert state.row is not None
            state.row.at_once = not state.goes_on or state.at_once
        if going := [state for state in states if state.goes_on]:
            self._launch(going)
        for state in states:
            for frame in self.loop.take(state.row):
                if not frame.good:
                    state.finished = True
                    found[id(state)].append(NotFinite(self.frames_by))
                    break
                if state.take(frame):
                    self._pause(state)
                    break

    def _launch(self, states: Sequence[State]) -> None:
        """Launch the next frame of each of `states`."""
        self.loop.launch([state.row for state in states])

    def _pause(self, state: State) -> None:
        """No more frames come for now: those that were launched are as if they had not been."""
        self.loop.forget(state.row)

    def _sound(self, states: Sequence[State], found: StepEvents) -> None:
        """The sound that the last step launched, then chunks that are due.

        Pipelined, the next frames are computed behind one before it is read, unless it is waited for.
        """
        for state in states:
            if state.decoding:
                found[id(state)].append(state.sounds())
        due = [state for state in states if not state.finished and state.due]
        if not due:
            return
        chosen = self._chosen(due)
        waiting = [state for state in chosen if state.is_early or not self.loop.pipelined]
        self._decode(chosen)
        for state in waiting:
            found[id(state)].append(state.sounds())

    def _chosen(self, due: Sequence[State]) -> Sequence[State]:
        """Those of `due` that are decoded in this step: the one that has waited longest."""
        for state in due:
            state.waited += 1
        longest = max(due, key=lambda one: one.waited)
        longest.waited = 0
        return [longest]

    def _decode(self, states: Sequence[State]) -> None:
        """Launch the next chunk of sound of each of `states`: it is `decoding` then."""
        raise NotImplementedError
