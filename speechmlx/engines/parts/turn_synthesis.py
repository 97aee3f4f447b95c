"""Speech in turns: a step is a draw for all requests, or one piece of other work, so that neither waits long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from speechmlx.engines.parts.pace import LayerPace, LayerPaced
from speechmlx.engines.parts.speech_engine import SpeechEngine
from speechmlx.engines.parts.step_events import StepEvents, ends_alone
from speechmlx.engines.parts.turn_speech import SoundingPiece, TurnSpeech
from speechmlx.engines.step_size import StepSize
from speechmlx.types import Event

FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 32, 16, 512
"""Tokens of a prompt read in a step: the first time, at least and at most."""

State = TypeVar("State", bound=TurnSpeech[Any])


class TurnSynthesis(LayerPaced, SpeechEngine[State]):
    """Requests share each draw. Their prompts are read and their sound is computed for one at a time."""

    def __init__(self, nbytes: int, max_batch: int, pace: LayerPace) -> None:
        """`pace`: that of all networks but the language model."""
        super().__init__(nbytes, max_batch)
        self.pace, self._piece = pace, StepSize(FIRST_PIECE, LEAST_PIECE, MOST_PIECE)
        self._served = 0

    def step(self, states: Sequence[State]) -> Sequence[Sequence[Event | Exception]]:
        """Draw for each of `states` or, in turn, do one piece of other work for who has waited longest for it."""
        found: StepEvents = {id(state): [] for state in states}
        for state in states:
            with ends_alone(state, found):
                self._begin(state, found[id(state)])
        live = [state for state in states if not state.finished]
        drawing = [state for state in live if state.draws]
        working = self._waiting([state for state in live if state.has_work])
        if working := [state for state in working if state.is_next or not drawing]:
            state = min(working, key=lambda one: one.served)  # a request that has just come is first
            self._served += 1
            state.served, state.is_next = self._served, False
            with ends_alone(state, found):
                self._work(state, found[id(state)])
        elif drawing:
            self._draw(drawing, found)
            for state in live:
                state.is_next = True
        for state in live:
            if not state.finished:
                found[id(state)] += state.closing()
        return [found[id(state)] for state in states]

    def _begin(self, state: State, events: list[Event | Exception]) -> None:
        """Begin what is to be said next, if it is time for that."""
        raise NotImplementedError

    def _waiting(self, states: Sequence[State]) -> Sequence[State]:
        """Those of `states`, which all have other work, that may have their turn now."""
        return states

    def _draw(self, states: Sequence[State], found: StepEvents) -> None:
        """Draw once for each of `states`."""
        raise NotImplementedError

    def _work(self, state: State, events: list[Event | Exception]) -> None:
        """Do one piece of work for the request alone."""
        raise NotImplementedError

    def _sound(self, state: State, piece: SoundingPiece[Any], events: list[Event | Exception]) -> None:
        """A step of the sound of `piece`."""
        samples = piece.step()
        if samples is not None and len(samples):
            events.append(state.as_chunk(samples))
